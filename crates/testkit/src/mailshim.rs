//! MERGE: temporary.
use crate::TestApp;

/// A mail.
#[derive(Clone, Debug)]
pub struct Mail {
    /// To.
    pub to: String,
    /// Subject.
    pub subject: String,
}

impl TestApp {
    /// Mails.
    pub async fn mails(&self) -> Vec<Mail> {
        Vec::new()
    }
    /// Token.
    pub async fn mailed_token(&self, _: &str) -> String {
        panic!("MERGE")
    }
}
