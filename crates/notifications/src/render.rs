//! Words for a message: in its reader's language, as plain text and as HTML.

use std::collections::BTreeMap;

use minijinja::{Environment, UndefinedBehavior, Value, context};
use serde::Deserialize;
use url::Url;

use crate::message::Message;
use crate::{Error, Settings};

/// The languages; the first is for everybody else.
const LANGUAGES: [&str; 3] = [
    include_str!("../templates/en.toml"),
    include_str!("../templates/de.toml"),
    include_str!("../templates/es.toml"),
];
/// Longest name that somebody is greeted by, in characters.
const LONGEST_NAME: usize = 60;
/// Longest subject, in characters.
const LONGEST_SUBJECT: usize = 200;

/// All texts of one language.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Words {
    language: String,
    greeting: String,
    greeting_unnamed: String,
    link_hint: String,
    footer: String,
    roles: BTreeMap<String, String>,
    mails: BTreeMap<String, Wording>,
}

/// The texts of one mail.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wording {
    subject: String,
    intro: Vec<String>,
    button: Option<String>,
    outro: Vec<String>,
}

/// A mail, written.
pub(crate) struct Rendered {
    pub(crate) subject: String,
    pub(crate) text: String,
    pub(crate) html: String,
}

/// Writes mails.
pub(crate) struct Renderer {
    environment: Environment<'static>,
    languages: Vec<Words>,
    marketplace: String,
    home: Url,
}

impl Renderer {
    pub(crate) fn new(settings: &Settings) -> Self {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        for (name, source) in [
            ("mail.txt", include_str!("../templates/mail.txt")),
            ("mail.html", include_str!("../templates/mail.html")),
        ] {
            environment.add_template(name, source).expect("the templates of the program can be read");
        }
        let words = |text: &&str| toml::from_str(text).expect("the texts of the program can be read");
        Self {
            environment,
            languages: LANGUAGES.iter().map(words).collect(),
            marketplace: settings.name.clone(),
            home: settings.public_url.clone(),
        }
    }

    pub(crate) fn render(&self, message: &Message) -> Result<Rendered, Error> {
        let words = self.words(message.locale.as_deref());
        let wording = words.mails.get(message.kind).ok_or_else(|| missing(message.kind))?;
        let facts = self.facts(words, message);
        let greeting = if greets(&message.name) { &words.greeting } else { &words.greeting_unnamed };
        let subject = on_one_line(&self.fill("line.txt", &wording.subject, &facts)?);
        let link = message.page.as_ref().map(|(page, token)| self.link(page, token.as_deref()));
        let write = |layout: &str, line: &str| -> Result<String, Error> {
            let fill = |source: &str| -> Result<Value, Error> {
                self.fill(line, source, &facts).map(Value::from_safe_string)
            };
            let all = |lines: &[String]| lines.iter().map(|line| fill(line)).collect::<Result<Vec<_>, _>>();
            let context = context! {
                language => words.language.as_str(),
                marketplace => self.marketplace.as_str(),
                subject => subject.as_str(),
                greeting => fill(greeting)?,
                intro => all(&wording.intro)?,
                outro => all(&wording.outro)?,
                button => fill(wording.button.as_deref().unwrap_or_default())?,
                link => link.as_deref(),
                link_hint => fill(&words.link_hint)?,
                footer => fill(&words.footer)?,
            };
            Ok(self.environment.get_template(layout)?.render(context)?)
        };
        Ok(Rendered { text: write("mail.txt", "line.txt")?, html: write("mail.html", "line.html")?, subject })
    }

    /// Fills in one line; its name says whether it is HTML.
    fn fill(&self, name: &str, source: &str, facts: &Value) -> Result<String, Error> {
        Ok(self.environment.render_named_str(name, source, facts.clone())?)
    }

    fn facts(&self, words: &Words, message: &Message) -> Value {
        let (store, role) = match &message.store {
            Some((store, role)) => (store.as_str(), words.roles.get(*role).map_or(*role, String::as_str)),
            None => ("", ""),
        };
        context! {
            name => message.name.trim(),
            marketplace => self.marketplace.as_str(),
            home => self.home.as_str().trim_end_matches('/'),
            store,
            role,
        }
    }

    /// The words for a reader of this language, region aside.
    fn words(&self, locale: Option<&str>) -> &Words {
        let language = locale.and_then(|tag| tag.split(['-', '_']).next()).unwrap_or_default();
        let found = self.languages.iter().find(|words| words.language.eq_ignore_ascii_case(language));
        found.unwrap_or(&self.languages[0])
    }

    fn link(&self, page: &str, token: Option<&str>) -> String {
        let base = self.home.as_str().trim_end_matches('/');
        match token {
            Some(token) => {
                let token: String = url::form_urlencoded::byte_serialize(token.as_bytes()).collect();
                format!("{base}/account/{page}?token={token}")
            }
            None => format!("{base}/account/{page}"),
        }
    }
}

fn missing(kind: &str) -> Error {
    minijinja::Error::new(minijinja::ErrorKind::TemplateNotFound, kind.to_owned()).into()
}

/// Whether this is a name to greet somebody by. Anybody can register anybody's address: a name must not carry a message
/// or an address to click on into a stranger's mailbox.
fn greets(name: &str) -> bool {
    let name = name.trim().to_lowercase();
    let dot_inside = name.split_whitespace().any(|word| word.trim_end_matches('.').contains('.'));
    let address = dot_inside || ["/", "@", "www"].into_iter().any(|sign| name.contains(sign));
    !name.is_empty() && name.chars().count() <= LONGEST_NAME && !address
}

/// A subject is one line.
fn on_one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONGEST_SUBJECT).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::of_notice;
    use identity::StoreRole;
    use identity::events::Notice;

    fn renderer() -> Renderer {
        let home: Url = "https://market.example".parse().unwrap();
        Renderer::new(&Settings::new(home, "Bazaar & Co".to_owned(), None, None).unwrap())
    }

    fn message(kind: &'static str, locale: &str) -> Message {
        Message {
            recipient: "ada@example.com".to_owned(),
            name: "Ada <b>".to_owned(),
            locale: Some(locale.to_owned()),
            kind,
            page: Some(("verify", Some("to-ken".to_owned()))),
            store: Some(("Kiln & Kin".to_owned(), "owner")),
        }
    }

    const NOTICES: [Notice; 9] = [
        Notice::PasswordChanged,
        Notice::EmailChanged,
        Notice::NewDevice,
        Notice::SecondFactorAdded,
        Notice::SecondFactorRemoved,
        Notice::RecoveryCodeUsed,
        Notice::ExternalAccountLinked,
        Notice::TokenReused,
        Notice::AccountDeleted,
    ];

    #[test]
    fn every_mail_has_words_in_every_language() {
        let renderer = renderer();
        let mut kinds = vec![
            "email_to_be_verified",
            "registered_again",
            "password_reset_ready",
            "email_change_requested",
            "member_invited",
        ];
        kinds.extend(NOTICES.map(|notice| of_notice(notice).0));
        for words in &renderer.languages {
            assert_eq!(words.mails.len(), kinds.len(), "{}", words.language);
            assert!(
                StoreRole::ALL.iter().all(|role| words.roles.contains_key(role.as_str())),
                "{}",
                words.language
            );
            for kind in &kinds {
                let mail = renderer.render(&message(kind, &words.language)).unwrap();
                assert!(!mail.subject.is_empty() && !mail.subject.contains('{'), "{}", mail.subject);
                assert!(mail.text.contains("Ada <b>") && mail.text.contains("Bazaar & Co"), "{}", mail.text);
                assert!(mail.html.contains("Ada &lt;b&gt;") && mail.html.contains("Bazaar &amp; Co"));
                assert!(mail.html.contains(&format!("<html lang=\"{}\">", words.language)));
                assert!(!mail.html.contains("{{") && !mail.text.contains("{{"));
            }
        }
        for notice in NOTICES {
            let (kind, helps) = of_notice(notice);
            assert_eq!(renderer.languages[0].mails[kind].button.is_some(), helps, "{kind}");
        }
    }

    #[test]
    fn a_reader_gets_their_language_or_english() {
        let renderer = renderer();
        for (locale, language) in [("de-AT", "de"), ("es", "es"), ("fr-FR", "en"), ("", "en")] {
            assert_eq!(renderer.words(Some(locale)).language, language);
        }
        assert_eq!(renderer.words(None).language, "en");
    }

    #[test]
    fn links_lead_to_our_pages() {
        let mail = renderer().render(&message("email_to_be_verified", "en")).unwrap();
        let link = "https://market.example/account/verify?token=to-ken";
        assert!(
            mail.text.contains(link)
                && mail.html.contains(&format!("href=\"{}\"", link.replace('/', "&#x2f;"))),
            "{}",
            mail.html
        );
    }

    /// Whoever registers a stranger's address can not have them sent an advertisement.
    #[test]
    fn a_name_carries_no_message() {
        for name in ["Ada Lovelace", "J. R. Ewing", "Dr. Ada", "Søren", "Jean-Luc"] {
            assert!(greets(name), "{name}");
        }
        let long = "a".repeat(61);
        for name in
            ["", " ", "win at casino.example", "http://x", "me@x", "www x", "go to a.b", long.as_str()]
        {
            assert!(!greets(name), "{name}");
        }
    }
}
