use platform::page::BadCursor;
use platform::{Code, Currency, Detail, ServiceError, Slug};

/// Why the catalogue refused.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No store that the actor may see has this id or slug.
    #[error("there is no such store")]
    StoreNotFound,
    /// No category has this id or slug.
    #[error("there is no such category")]
    CategoryNotFound,
    /// No product that the actor may see has this id or slug.
    #[error("there is no such product")]
    ProductNotFound,
    /// The actor may not change the catalogue.
    #[error("only the store's team may change it")]
    Forbidden,
    /// Another store has this slug.
    #[error("a store with the slug {0} is there already")]
    StoreSlugTaken(Slug),
    /// A product came with prices in another currency than its store's.
    #[error("the store sells in {store}, not in {given}")]
    WrongCurrency {
        /// The store's.
        store: Currency,
        /// The one given.
        given: Currency,
    },
    /// A product came without a variant, or with two of the same options.
    #[error("product {0} needs at least one variant, and no two with the same options")]
    BadVariants(String),
    /// The cursor is of another list.
    #[error(transparent)]
    Cursor(#[from] BadCursor),
    /// The database failed.
    #[error("database failure")]
    Database(#[from] sqlx::Error),
}

impl ServiceError for Error {
    fn code(&self) -> Code {
        match self {
            Self::StoreNotFound | Self::CategoryNotFound | Self::ProductNotFound => Code::NotFound,
            Self::Forbidden => Code::Forbidden,
            Self::StoreSlugTaken(_) => Code::Conflict,
            Self::WrongCurrency { .. } | Self::BadVariants(_) | Self::Cursor(_) => Code::Invalid,
            Self::Database(error) => platform::error::database_failure(error).0,
        }
    }

    fn reason(&self) -> &str {
        match self {
            Self::StoreNotFound => "catalog/store_not_found",
            Self::CategoryNotFound => "catalog/category_not_found",
            Self::ProductNotFound => "catalog/product_not_found",
            Self::Forbidden => "catalog/forbidden",
            Self::StoreSlugTaken(_) => "catalog/store_slug_taken",
            Self::WrongCurrency { .. } => "catalog/wrong_currency",
            Self::BadVariants(_) => "catalog/bad_variants",
            Self::Cursor(_) => "request/bad_cursor",
            Self::Database(error) => platform::error::database_failure(error).1,
        }
    }

    fn details(&self) -> Vec<Detail> {
        match self {
            Self::Cursor(error) => vec![Detail::new("after", "bad_cursor", error.to_string())],
            _ => Vec::new(),
        }
    }
}

/// A text of the database that its constraints keep parseable.
pub(crate) fn stored<T: std::str::FromStr>(text: &str) -> Result<T, Error> {
    text.parse()
        .map_err(|_| Error::Database(sqlx::Error::Decode(format!("not expected in a row: {text:?}").into())))
}
