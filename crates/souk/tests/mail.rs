//! Mail: written when something happened, sent by SMTP or caught, once and in the reader's language.
#![expect(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use identity::NewAccount;
use identity::events::{EmailToBeVerified, MemberInvited, Notice, SecurityNoticed};
use notifications::Smtp;
use platform::Secret;
use platform::audit::Origin;
use platform::database::json;
use platform::outbox::{Delivery, Event};
use serde_json::Value;
use souk::app::{App, MailSettings, Settings};
use tempfile::TempDir;
use testkit::TestApp;
use tokio::process::{Child, Command};

const PASSWORD: &str = "a long walk on the harbour";

/// aiosmtpd, a mail server that nobody here wrote. It keeps what it gets in a Maildir.
struct MailServer {
    process: Child,
    folder: TempDir,
}

/// `script/test` puts it there.
fn python() -> PathBuf {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.souk/test-venv/bin/python");
    assert!(python.exists(), "aiosmtpd is missing: run script/test");
    python
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

impl MailServer {
    async fn start(port: u16) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let process = Command::new(python())
            .args(["-m", "aiosmtpd", "-n", "-l", &format!("127.0.0.1:{port}")])
            .args(["-c", "aiosmtpd.handlers.Mailbox"])
            .arg(folder.path().join("mail"))
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        for _ in 0..200 {
            if tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
                return Self { process, folder };
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("aiosmtpd does not listen");
    }

    /// What came, as Python reads it.
    async fn mails(&self) -> Vec<Value> {
        let script = r"
import email, json, mailbox, sys
from email import policy
def read(file): return email.message_from_binary_file(file, policy=policy.default)
found = []
for mail in mailbox.Maildir(sys.argv[1], factory=read, create=True):
    part = lambda kind: mail.get_body((kind,)).get_content()
    found.append({name: str(mail[name]) for name in
        ('Subject', 'To', 'From', 'Message-ID', 'Date', 'Auto-Submitted', 'X-RcptTo')}
        | {'text': part('plain'), 'html': part('html')})
print(json.dumps(found))";
        let output = Command::new(python())
            .args(["-c", script])
            .arg(self.folder.path().join("mail"))
            .output()
            .await
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    async fn stop(mut self) {
        self.process.kill().await.unwrap();
    }
}

fn by_smtp(port: u16, modules: &mut Settings) {
    let smtp = Smtp::at(&format!("smtp://127.0.0.1:{port}")).unwrap();
    let home = "https://market.example".parse().unwrap();
    let from = Some("Bazaar <hello@market.example>");
    modules.mail = MailSettings::new(home, "Bazaar".to_owned(), from, Some(smtp)).unwrap();
}

async fn start(port: u16) -> TestApp {
    TestApp::adjusted(|modules, _| by_smtp(port, modules)).await
}

async fn register(test: &TestApp, email: &str, locale: Option<&str>) {
    let account = NewAccount {
        email: email.parse().unwrap(),
        password: Secret::presented(PASSWORD),
        name: "Ada".to_owned(),
        locale: locale.map(str::to_owned),
    };
    test.app.identity.accounts.register(&Origin::default(), &account).await.unwrap();
}

/// State, attempts, and whether anything of the content is left, of each mail.
async fn rows(test: &TestApp) -> Vec<(String, i32, bool)> {
    sqlx::query_as("SELECT state, attempts, text <> '' OR html <> '' FROM notifications.mails ORDER BY id")
        .fetch_all(test.app.database.pool())
        .await
        .unwrap()
}

fn row(state: &str, attempts: i32, content: bool) -> (String, i32, bool) {
    (state.to_owned(), attempts, content)
}

#[tokio::test]
async fn a_mail_leaves_by_smtp_once_and_its_secret_is_forgotten() {
    let port = free_port();
    let server = MailServer::start(port).await;
    let test = start(port).await;
    register(&test, "ada@example.com", None).await;
    test.run_jobs().await;
    test.run_jobs().await;

    let mails = server.mails().await;
    assert_eq!(mails.len(), 1, "{mails:?}");
    let mail = &mails[0];
    assert_eq!(mail["Subject"], "Confirm your email address");
    assert_eq!(
        (&mail["To"], &mail["X-RcptTo"]),
        (&Value::from("ada@example.com"), &Value::from("ada@example.com"))
    );
    assert_eq!(mail["From"], "Bazaar <hello@market.example>");
    assert_eq!(mail["Auto-Submitted"], "auto-generated");
    assert_eq!(mail["Date"], "Mon, 01 Jun 2026 12:00:00 +0000", "of the application's clock");
    assert!(mail["Message-ID"].as_str().unwrap().ends_with("@market.example>"));
    let text = mail["text"].as_str().unwrap();
    let link =
        text.lines().find(|line| line.starts_with("https://market.example/account/verify?token=")).unwrap();
    let token = link.split_once("token=").unwrap().1;
    assert!(mail["html"].as_str().unwrap().contains(token));

    assert_eq!(rows(&test).await, [row("sent", 1, false)]);
    let kept: Vec<String> = sqlx::query_scalar(
        "SELECT m::text FROM notifications.mails m UNION ALL SELECT o::text FROM platform.outbox o",
    )
    .fetch_all(test.app.database.pool())
    .await
    .unwrap();
    assert!(kept.iter().all(|row| !row.contains(token)), "a secret is still there");
    let (token, password) = (Secret::presented(token), Secret::presented(PASSWORD));
    test.app.identity.accounts.verify_email(&Origin::default(), &token, &password).await.unwrap();
    server.stop().await;
    test.finish().await;
}

#[tokio::test]
async fn a_server_that_is_down_delays_a_mail() {
    let port = free_port();
    let test = start(port).await;
    register(&test, "ada@example.com", Some("de-AT")).await;
    register(&test, "bea@example.com", Some("es")).await;
    test.run_jobs().await;
    assert_eq!(rows(&test).await, [row("queued", 1, true), row("queued", 1, true)]);
    let error: Option<String> = sqlx::query_scalar("SELECT last_error FROM notifications.mails LIMIT 1")
        .fetch_one(test.app.database.pool())
        .await
        .unwrap();
    assert!(error.unwrap().contains("onnect"));

    let server = MailServer::start(port).await;
    test.run_jobs().await;
    assert_eq!(server.mails().await.len(), 0, "it is not due yet");
    test.clock.advance(time::Duration::minutes(1));
    test.run_jobs().await;
    assert_eq!(rows(&test).await, [row("sent", 2, false), row("sent", 2, false)]);
    let mut subjects: Vec<String> =
        server.mails().await.iter().map(|mail| mail["Subject"].as_str().unwrap().to_owned()).collect();
    subjects.sort();
    assert_eq!(subjects, ["Bestätigen Sie Ihre E-Mail-Adresse", "Confirma tu dirección de correo"]);
    server.stop().await;
    test.finish().await;
}

#[tokio::test]
async fn a_mail_is_given_up_after_three_days() {
    let test = start(free_port()).await;
    register(&test, "ada@example.com", None).await;
    test.run_jobs().await;
    for _ in 0..16 {
        test.clock.advance(time::Duration::hours(4));
        test.run_jobs().await;
        assert_eq!(rows(&test).await[0].0, "queued");
    }
    test.clock.advance(time::Duration::hours(4));
    test.run_jobs().await;
    let given_up = rows(&test).await;
    assert_eq!((given_up[0].0.as_str(), given_up[0].2), ("failed", false));
    test.finish().await;
}

/// The process that claimed a mail dies while it speaks to the server: another one sends it when the lease is over.
#[tokio::test]
async fn a_crash_in_the_middle_loses_no_mail() {
    // It takes connections and never says a word.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let test = start(silent.local_addr().unwrap().port()).await;
    register(&test, "ada@example.com", None).await;
    test.app.dispatcher().drain().await.unwrap();
    let mails = std::sync::Arc::clone(&test.app.mails);
    let sending = tokio::spawn(async move { mails.send_due().await });
    let (_held, _) = silent.accept().await.unwrap();
    sending.abort();
    assert!(sending.await.unwrap_err().is_cancelled());
    assert_eq!(rows(&test).await, [row("queued", 1, true)]);

    let port = free_port();
    let server = MailServer::start(port).await;
    let mut settings = test.settings();
    by_smtp(port, &mut settings);
    let restarted = App::new(test.app.database.clone(), test.app.sources.clone(), settings).unwrap();
    assert_eq!(restarted.mails.send_due().await.unwrap(), 0, "the first one may still be at it");
    test.clock.advance(time::Duration::minutes(11));
    assert_eq!(restarted.mails.send_due().await.unwrap(), 1);
    assert_eq!(restarted.mails.send_due().await.unwrap(), 0);
    let name: String = sqlx::query_scalar("SELECT message_id FROM notifications.mails")
        .fetch_one(test.app.database.pool())
        .await
        .unwrap();
    assert_eq!(server.mails().await[0]["Message-ID"], name, "the same in each attempt");
    server.stop().await;
    test.finish().await;
}

/// Two nodes share the work: nothing goes out twice.
#[tokio::test]
async fn nodes_share_the_queue() {
    let port = free_port();
    let server = MailServer::start(port).await;
    let test = start(port).await;
    let mails: Vec<Delivery> =
        (1..=25).map(|number| notice(number, &format!("u{number}@example.com"))).collect();
    tell(&test, &mails).await;
    let mut settings = test.settings();
    by_smtp(port, &mut settings);
    let other = App::new(test.app.database.clone(), test.app.sources.clone(), settings).unwrap();
    let drain = |app: App| async move { while app.mails.send_due().await.unwrap() > 0 {} };
    tokio::join!(drain(test.app.clone()), drain(other));
    let mut to: Vec<String> = server.mails().await.iter().map(|mail| mail["To"].to_string()).collect();
    assert_eq!(to.len(), 25);
    to.sort();
    to.dedup();
    assert_eq!(to.len(), 25);
    server.stop().await;
    test.finish().await;
}

/// The address of the mail server holds a password: it is told nowhere.
#[test]
fn the_configuration_hides_the_password() {
    let folder = tempfile::tempdir().unwrap();
    let config = |variables: &[(&str, &str)]| {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_souk"))
            .arg("config")
            .env_clear()
            .env("HOME", folder.path())
            .envs(variables.iter().copied())
            .current_dir(folder.path())
            .output()
            .unwrap();
        (output.status.success(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
    };
    let from = ("SOUK_MAIL_FROM", "Souk <souk@market.example>");
    let (plain, own) =
        (("SMTP_URL", "smtp://one:s3cret@mail.example"), ("SOUK_SMTP_URL", "smtp://two:s3cret@x"));
    for variables in [vec![plain, from], vec![own, from], vec![plain, own, from]] {
        let (ok, text) = config(&variables);
        assert!(
            ok && text.contains("smtp_url = \"***\"  # environment") && !text.contains("s3cret"),
            "{text}"
        );
    }
    let (ok, text) = config(&[plain]);
    assert!(!ok && text.contains("mail_from") && !text.contains("s3cret"), "{text}");
    for wrong in ["http://me:s3cret@mail.example", "smtp://me:1#s3cret@mail.example", "s3cret"] {
        let (ok, text) = config(&[("SMTP_URL", wrong), from]);
        assert!(!ok && text.contains("smtp_url") && !text.contains("s3cret"), "{text}");
    }
    let (ok, text) = config(&[("SOUK_MAIL_FROM", "nobody")]);
    assert!(!ok && text.contains("mail_from"), "{text}");
}

/// Has mails queued for these events.
async fn tell(test: &TestApp, deliveries: &[Delivery]) {
    test.app.mails.tell(&deliveries.iter().collect::<Vec<_>>()).await.unwrap();
}

fn delivery<E: Event>(id: i64, event: &E) -> Delivery {
    let at = time::macros::datetime!(2026-06-01 12:00 UTC);
    Delivery { id, topic: E::TOPIC.to_owned(), payload: json(event).to_string(), at }
}

fn notice(id: i64, email: &str) -> Delivery {
    let (name, email) = ("Ada".to_owned(), email.to_owned());
    delivery(id, &SecurityNoticed { email, name, locale: None, notice: Notice::NewDevice })
}

#[tokio::test]
async fn an_event_is_told_once() {
    let test = TestApp::start().await;
    let told = [notice(1, "ada@example.com"), notice(2, "ada@example.com")];
    tell(&test, &told).await;
    tell(&test, &told[1..]).await;
    assert_eq!(test.mails().await.len(), 2);
    test.finish().await;
}

#[tokio::test]
async fn caught_mails_are_kept_for_a_while() {
    let test = TestApp::start().await;
    let many: Vec<Delivery> =
        (1..=1_005).map(|number| notice(number, &format!("u{number}@example.com"))).collect();
    tell(&test, &many).await;
    let kept = test.app.mails.caught(&identity::Actor::system()).await.unwrap();
    assert_eq!((kept.len(), kept[0].recipient.as_str()), (1_000, "u1005@example.com"));
    assert!(test.app.mails.caught(&identity::Actor::stranger()).await.is_err());
    test.clock.advance(time::Duration::days(8));
    assert_eq!(test.app.mails.clean_up().await.unwrap(), 1_000);
    test.finish().await;
}

/// Mails carry secrets: nobody reads them in a browser but in a demo.
#[tokio::test]
async fn the_catcher_is_for_demos() {
    let test = TestApp::start().await;
    register(&test, "ada@example.com", None).await;
    test.run_jobs().await;
    assert_eq!(test.mails().await.len(), 1);
    for path in ["/dev/mail", "/dev/mail/1", "/dev/mail/1/html"] {
        let answer = test.get(path, &[]).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (404, "request/route_not_found"), "{path}");
    }
    test.finish().await;
}

#[tokio::test]
async fn a_demo_shows_what_it_caught() {
    let test = TestApp::demo().await;
    assert!(test.get("/dev/mail", &[]).await.text.contains("Nothing was caught yet"));
    register(&test, "ada@example.com", None).await;
    let mail = test.last_mail("ada@example.com").await;
    let list = test.get("/dev/mail", &[]).await;
    assert_eq!(list.status, 200);
    assert!(list.text.contains("Confirm your email address") && list.text.contains("ada@example.com"));
    let page = test.get("/dev/mail/1", &[]).await;
    assert!(
        page.text.contains("sandbox=\"allow-popups") && page.text.contains(mail.token()),
        "{}",
        page.text
    );
    assert_eq!(page.header("cache-control"), "no-store");
    assert!(page.header("content-security-policy").starts_with("default-src 'none'"));
    let html = test.get("/dev/mail/1/html", &[]).await;
    assert_eq!(html.text, mail.html);
    assert!(html.header("content-security-policy").contains("sandbox"));
    for missing in ["/dev/mail/2", "/dev/mail/x", "/dev/mail/2/html"] {
        assert_eq!(test.get(missing, &[]).await.status, 404, "{missing}");
    }
    test.finish().await;
}

/// What strangers choose can not become a header, a tag or an advertisement.
#[tokio::test]
async fn names_of_strangers_stay_names() {
    let test = TestApp::start().await;
    let invited = MemberInvited {
        email: "ada@example.com".to_owned(),
        store_id: test.app.sources.id(),
        store_name: "<b>Kiln</b>\r\nBcc: x@example.com".to_owned(),
        role: identity::StoreRole::Staff,
        token: "to-ken".to_owned(),
    };
    let verify = EmailToBeVerified {
        email: "bea@example.com".to_owned(),
        name: "win at https://casino.example".to_owned(),
        locale: None,
        token: "to-ken".to_owned(),
    };
    tell(&test, &[delivery(1, &invited), delivery(2, &verify)]).await;
    let mails = test.mails().await;
    assert_eq!(mails[0].subject, "An invitation to work for <b>Kiln</b>  Bcc: x@example.com");
    assert!(!mails[0].html.contains("<b>"));
    assert!(!mails[1].text.contains("casino") && mails[1].text.starts_with("Hello,\n"));
    test.finish().await;
}
