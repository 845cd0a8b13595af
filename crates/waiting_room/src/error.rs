use catalog::ProductId;
use identity::Denied;
use platform::{Code, Detail, ServiceError, batch};
use serde_json::json;

/// Why a waiting room refused.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The product has no waiting room, or it is switched off.
    #[error("this product has no waiting room")]
    RoomNotFound,
    /// A guest stands in line with a basket.
    #[error("put the product into a basket first; a guest's place belongs to their basket")]
    BasketNeeded,
    /// A guest has to solve a challenge first.
    #[error("solve a challenge first, or sign in")]
    ChallengeNeeded(ProductId),
    /// That is no challenge of ours, or one for somebody or something else.
    #[error("the challenge is none, or not for this buyer and product")]
    BadChallenge,
    /// The hash does not begin with enough zeros.
    #[error("that does not solve the challenge")]
    WrongSolution,
    /// The challenge is too old.
    #[error("the challenge has expired; ask for another one")]
    ChallengeExpired,
    /// The challenge gave a place already.
    #[error("the challenge was used; ask for another one")]
    ChallengeSpent,
    /// No ticket was shown.
    #[error("show the ticket of your place")]
    TicketNeeded,
    /// That is no ticket of ours, or one for another product.
    #[error("the ticket is none, or not for this product")]
    BadTicket,
    /// The ticket is somebody else's.
    #[error("the ticket was given to another buyer")]
    ForeignTicket,
    /// The ticket is too old, or of a line that is over.
    #[error("the ticket has expired; join again to get a new one")]
    TicketExpired,
    /// As many listen as may.
    #[error("too many listen at this moment; ask for the place instead")]
    TooManyListeners,
    /// The actor may not buy one or more products now.
    #[error("{}", first(.0))]
    Refused(Vec<(ProductId, Refusal)>),
    /// Something in the input that only this module can tell.
    #[error("{message}")]
    Invalid {
        /// Path of the field.
        field: &'static str,
        /// For people.
        message: &'static str,
    },
    /// The actor is not somebody who may do this.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The actor may not do this in the store, or it has no such product.
    #[error(transparent)]
    Catalog(#[from] catalog::Error),
    /// The queue of joins failed.
    #[error(transparent)]
    Queue(#[from] batch::Error),
    /// The database failed.
    #[error("database failure")]
    Database(#[from] sqlx::Error),
}

/// Why somebody may not buy a product that has a waiting room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// They have no place.
    NoPlace,
    /// They have not been let in yet.
    NotYet {
        /// In how many seconds they should be.
        seconds: i64,
    },
    /// Their time is over.
    Lapsed,
}

impl Refusal {
    const fn reason(self) -> &'static str {
        match self {
            Self::NoPlace => "waiting_room/place_needed",
            Self::NotYet { .. } => "waiting_room/not_your_turn",
            Self::Lapsed => "waiting_room/lapsed",
        }
    }

    const fn message(self) -> &'static str {
        match self {
            Self::NoPlace => "this product has a waiting room; join it first",
            Self::NotYet { .. } => "it is not your turn yet",
            Self::Lapsed => "your time to buy is over; join the waiting room again",
        }
    }

    fn detail(self, product: ProductId) -> Detail {
        let code = self.reason().trim_start_matches("waiting_room/");
        let mut facts = json!({"product_id": product, "join": places(product)});
        if let Self::NotYet { seconds } = self {
            facts["estimated_wait_seconds"] = seconds.into();
        }
        Detail::new("", code, self.message()).with_facts(facts)
    }
}

/// Where one joins.
fn places(product: ProductId) -> String {
    format!("/api/v1/products/{product}/waiting_room/places")
}

/// What is said of all: the first.
fn first(refused: &[(ProductId, Refusal)]) -> &'static str {
    refused.first().map_or("", |(_, refusal)| refusal.message())
}

impl ServiceError for Error {
    fn code(&self) -> Code {
        match self {
            Self::RoomNotFound => Code::NotFound,
            Self::BasketNeeded | Self::ChallengeNeeded(_) | Self::ChallengeSpent | Self::Refused(_) => {
                Code::Conflict
            }
            Self::BadChallenge
            | Self::WrongSolution
            | Self::TicketNeeded
            | Self::BadTicket
            | Self::Invalid { .. } => Code::Invalid,
            Self::ForeignTicket => Code::Forbidden,
            Self::ChallengeExpired | Self::TicketExpired => Code::Gone,
            Self::TooManyListeners => Code::Unavailable,
            Self::Denied(denied) => denied.code(),
            Self::Catalog(error) => error.code(),
            Self::Queue(error) => error.code().0,
            Self::Database(error) => platform::error::database_failure(error).0,
        }
    }

    fn reason(&self) -> &str {
        match self {
            Self::RoomNotFound => "waiting_room/not_found",
            Self::BasketNeeded => "waiting_room/basket_needed",
            Self::ChallengeNeeded(_) => "waiting_room/challenge_needed",
            Self::BadChallenge => "waiting_room/bad_challenge",
            Self::WrongSolution => "waiting_room/wrong_solution",
            Self::ChallengeExpired => "waiting_room/challenge_expired",
            Self::ChallengeSpent => "waiting_room/challenge_spent",
            Self::TicketNeeded => "waiting_room/ticket_needed",
            Self::BadTicket => "waiting_room/bad_ticket",
            Self::ForeignTicket => "waiting_room/foreign_ticket",
            Self::TicketExpired => "waiting_room/ticket_expired",
            Self::TooManyListeners => "waiting_room/too_many_listeners",
            Self::Refused(refused) => refused.first().map_or("internal", |(_, refusal)| refusal.reason()),
            Self::Invalid { .. } => "request/invalid_value",
            Self::Denied(denied) => denied.reason(),
            Self::Catalog(error) => error.reason(),
            Self::Queue(error) => error.code().1,
            Self::Database(error) => platform::error::database_failure(error).1,
        }
    }

    fn details(&self) -> Vec<Detail> {
        match self {
            Self::Refused(refused) => {
                refused.iter().map(|(product, refusal)| refusal.detail(*product)).collect()
            }
            Self::ChallengeNeeded(product) => {
                let path = format!("/api/v1/products/{product}/waiting_room/challenges");
                let facts = json!({"product_id": product, "challenges": path});
                vec![Detail::new("challenge", "challenge_needed", self.to_string()).with_facts(facts)]
            }
            Self::BadChallenge => vec![Detail::new("challenge", "bad_challenge", self.to_string())],
            Self::WrongSolution => vec![Detail::new("solution", "wrong_solution", self.to_string())],
            Self::Invalid { field, message } => vec![Detail::new(*field, "invalid_value", *message)],
            Self::Denied(denied) => denied.details(),
            Self::Catalog(error) => error.details(),
            _ => Vec::new(),
        }
    }

    fn retry_after(&self) -> Option<u32> {
        match self {
            Self::TooManyListeners => Some(5),
            Self::Refused(refused) => match refused.first() {
                Some((_, Refusal::NotYet { seconds })) => u32::try_from((*seconds).clamp(1, 60)).ok(),
                _ => None,
            },
            Self::Catalog(error) => error.retry_after(),
            _ => (self.code() == Code::Unavailable).then_some(1),
        }
    }
}
