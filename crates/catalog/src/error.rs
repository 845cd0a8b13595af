use identity::Denied;
use platform::page::BadCursor;
use platform::{Code, Currency, Detail, ServiceError, Slug};
use serde_json::json;

use crate::StoreStatus;

/// Why the catalogue refused.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The actor may not do this.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// No store that the actor may see has this id or slug.
    #[error("there is no such store")]
    StoreNotFound,
    /// No category has this id or slug.
    #[error("there is no such category")]
    CategoryNotFound,
    /// No product that the actor may see has this id or slug.
    #[error("there is no such product")]
    ProductNotFound,
    /// The product has no variant of this id.
    #[error("there is no such variant")]
    VariantNotFound,
    /// Only Souk itself does this.
    #[error("only Souk itself does this")]
    Forbidden,
    /// Another store has this slug.
    #[error("a store with the slug {0} is there already")]
    StoreSlugTaken(Slug),
    /// Another category has this slug.
    #[error("a category with the slug {0} is there already")]
    CategorySlugTaken(Slug),
    /// The product has a variant of these options already.
    #[error("there is a variant with these options already")]
    VariantExists,
    /// There is something in or below the category.
    #[error("the category still holds {products} products and {children} categories")]
    CategoryNotEmpty {
        /// Products that name it.
        products: i64,
        /// Categories right below it.
        children: i64,
    },
    /// The person has as many applications open as they may.
    #[error("you have {0} applications that wait for an answer; that is the most")]
    TooManyApplications(i16),
    /// The store is in a state that does not allow it.
    #[error("the store is {}", .0.as_str())]
    WrongState(StoreStatus),
    /// The actor's picture of the thing is out of date.
    #[error("it was changed meanwhile; read it again")]
    Stale,
    /// A product came with prices in another currency than its store's.
    #[error("the store sells in {store}, not in {given}")]
    WrongCurrency {
        /// Path of the price.
        field: String,
        /// The store's.
        store: Currency,
        /// The one given.
        given: Currency,
    },
    /// A product came without a variant, or with two of the same options.
    #[error("product {0} needs at least one variant, and no two with the same options")]
    BadVariants(String),
    /// The key was used for another request.
    #[error("this Idempotency-Key was used with another request")]
    KeyReused,
    /// Something in the input that only the catalogue can tell.
    #[error("{message}")]
    Invalid {
        /// Path of the field.
        field: String,
        /// Stable code.
        code: &'static str,
        /// For people.
        message: String,
    },
    /// The cursor is of another list.
    #[error(transparent)]
    Cursor(#[from] BadCursor),
    /// The owner could not be entered.
    #[error(transparent)]
    Identity(#[from] identity::Error),
    /// The database failed.
    #[error("database failure")]
    Database(#[from] sqlx::Error),
}

impl Error {
    pub(crate) fn invalid(field: impl Into<String>, code: &'static str, message: impl Into<String>) -> Self {
        Self::Invalid { field: field.into(), code, message: message.into() }
    }
}

impl ServiceError for Error {
    fn code(&self) -> Code {
        match self {
            Self::Denied(denied) => denied.code(),
            Self::StoreNotFound | Self::CategoryNotFound | Self::ProductNotFound | Self::VariantNotFound => {
                Code::NotFound
            }
            Self::Forbidden => Code::Forbidden,
            Self::StoreSlugTaken(_)
            | Self::CategorySlugTaken(_)
            | Self::VariantExists
            | Self::CategoryNotEmpty { .. }
            | Self::TooManyApplications(_)
            | Self::WrongState(_) => Code::Conflict,
            Self::Stale => Code::Precondition,
            Self::WrongCurrency { .. }
            | Self::BadVariants(_)
            | Self::KeyReused
            | Self::Invalid { .. }
            | Self::Cursor(_) => Code::Invalid,
            Self::Identity(error) => error.code(),
            Self::Database(error) => platform::error::database_failure(error).0,
        }
    }

    fn reason(&self) -> &str {
        match self {
            Self::Denied(denied) => denied.reason(),
            Self::StoreNotFound => "catalog/store_not_found",
            Self::CategoryNotFound => "catalog/category_not_found",
            Self::ProductNotFound => "catalog/product_not_found",
            Self::VariantNotFound => "catalog/variant_not_found",
            Self::Forbidden => "catalog/forbidden",
            Self::StoreSlugTaken(_) => "catalog/store_slug_taken",
            Self::CategorySlugTaken(_) => "catalog/category_slug_taken",
            Self::VariantExists => "catalog/variant_exists",
            Self::CategoryNotEmpty { .. } => "catalog/category_not_empty",
            Self::TooManyApplications(_) => "catalog/too_many_applications",
            Self::WrongState(_) => "catalog/wrong_state",
            Self::Stale => "catalog/changed_meanwhile",
            Self::WrongCurrency { .. } => "catalog/wrong_currency",
            Self::BadVariants(_) => "catalog/bad_variants",
            Self::KeyReused => "request/idempotency_key_reused",
            Self::Invalid { .. } => "request/invalid_value",
            Self::Cursor(_) => "request/bad_cursor",
            Self::Identity(error) => error.reason(),
            Self::Database(error) => platform::error::database_failure(error).1,
        }
    }

    fn details(&self) -> Vec<Detail> {
        match self {
            Self::Denied(denied) => denied.details(),
            Self::Identity(error) => error.details(),
            Self::Cursor(error) => vec![Detail::new("after", "bad_cursor", error.to_string())],
            Self::Invalid { field, code, message } => {
                vec![Detail::new(field.clone(), *code, message.clone())]
            }
            Self::StoreSlugTaken(_) | Self::CategorySlugTaken(_) => {
                vec![Detail::new("slug", "taken", self.to_string())]
            }
            Self::WrongCurrency { field, store, given } => {
                let facts = json!({"expected": store, "given": given});
                vec![Detail::new(field.clone(), "wrong_currency", self.to_string()).with_facts(facts)]
            }
            Self::WrongState(status) => {
                let facts = json!({"status": status});
                vec![Detail::new("", "wrong_state", self.to_string()).with_facts(facts)]
            }
            Self::CategoryNotEmpty { products, children } => {
                let facts = json!({"products": products, "children": children});
                vec![Detail::new("", "not_empty", self.to_string()).with_facts(facts)]
            }
            _ => Vec::new(),
        }
    }
}

/// A text of the database that its constraints keep parseable.
pub(crate) fn stored<T: std::str::FromStr>(text: &str) -> Result<T, Error> {
    text.parse()
        .map_err(|_| Error::Database(sqlx::Error::Decode(format!("not expected in a row: {text:?}").into())))
}
