//! What the application under test would have mailed.

use identity::Actor;

use crate::TestApp;

/// A mail that was caught.
#[derive(Clone, Debug)]
pub struct TestMail {
    /// To whom.
    pub to: String,
    /// What about.
    pub subject: String,
    /// As plain text.
    pub text: String,
    /// As HTML.
    pub html: String,
}

impl TestMail {
    /// The link in it.
    ///
    /// # Panics
    /// When there is none.
    pub fn link(&self) -> &str {
        let link = self.text.lines().find(|line| line.starts_with("http") && line.contains("/account/"));
        link.expect("the mail has a link")
    }

    /// The secret in its link.
    ///
    /// # Panics
    /// When there is none.
    pub fn token(&self) -> &str {
        self.link().split_once("?token=").expect("the link has a token").1
    }
}

impl TestApp {
    /// The mails that were caught so far, the newest last. [`TestApp::run_jobs`] makes them.
    ///
    /// # Panics
    /// When they can not be read.
    pub async fn mails(&self) -> Vec<TestMail> {
        let heads = self.app.mails.caught(&Actor::system()).await.expect("mails can be read");
        let mut mails = Vec::new();
        for head in heads.iter().rev() {
            let mail =
                self.app.mails.caught_mail(&Actor::system(), head.id).await.expect("a mail can be read");
            let mail = mail.expect("it was in the list");
            mails.push(TestMail {
                to: mail.head.recipient,
                subject: mail.head.subject,
                text: mail.text,
                html: mail.html,
            });
        }
        mails
    }

    /// Runs jobs, then gives the last mail to this address.
    ///
    /// # Panics
    /// When there is none.
    pub async fn last_mail(&self, to: &str) -> TestMail {
        self.run_jobs().await;
        let mail = self.mails().await.into_iter().rfind(|mail| mail.to == to);
        mail.unwrap_or_else(|| panic!("no mail to {to}"))
    }

    /// Runs jobs, then gives the secret in the last mail to this address.
    ///
    /// # Panics
    /// When there is none.
    pub async fn mailed_token(&self, to: &str) -> String {
        self.last_mail(to).await.token().to_owned()
    }
}
