//! Who is asking. Every data method takes the actor and authorizes first.

use crate::Secret;

/// The one on whose behalf something is done.
#[derive(Clone, Debug)]
pub enum Actor {
    /// Somebody without an account. What they may touch is what their secrets open.
    Guest {
        /// The token of the cart they hold.
        cart_token: Option<Secret>,
    },
    /// Souk itself: background jobs and commands given at the server's own shell.
    System,
}

impl Actor {
    /// A guest who holds nothing yet.
    pub const fn stranger() -> Self {
        Self::Guest { cart_token: None }
    }

    /// A guest who holds a cart.
    pub const fn holder(cart_token: Secret) -> Self {
        Self::Guest { cart_token: Some(cart_token) }
    }

    /// The hash of the cart token they hold.
    pub fn cart_token_hash(&self) -> Option<Vec<u8>> {
        match self {
            Self::Guest { cart_token } => cart_token.as_ref().map(Secret::hash),
            Self::System => None,
        }
    }
}
