//! Stores, categories, products and their variants: what can be bought, at which price, from whom.
//!
//! Invariants: a product has at least one variant; its price and its variants' prices are in its store's
//! currency; only active products of active stores are shown to guests.
//!
//! The face is in parts: [`Catalog`] (what is sold, and what Souk itself writes), [`Stores`] (their life) and
//! [`Assortment`] (what a store's team does with its products). A [`Catalog`] is all of them.
mod assortment;
mod authorize;
mod category;
mod counts;
mod error;
pub mod events;
pub mod jobs;
mod known;
mod list;
mod offer;
mod once;
mod product;
mod put;
mod stock;
mod store;
mod verify;

use std::collections::HashMap;
use std::str::FromStr;
use std::sync::Arc;

use async_trait::async_trait;
use identity::{Actor, Identity, Permission, StoreMark};

pub use identity::StoreId;
use platform::{CursorRequest, Database, Id, Page, PageRequest, Slice, Slug, Sources, Tag, Violation};

pub use assortment::{Assortment, MadeProduct, NewProduct, ProductChange, VariantChange};
pub use category::{Category, CategoryChange, CategoryEntry, CategoryNode, PutCategory};
pub use counts::Counts;
pub use error::Error;
pub use known::Known;
pub use list::{ProductFilter, ProductSort};
pub use offer::Offer;
use offer::Offers;
pub use product::{
    CategoryRef, Image, OptionValue, Product, ProductOption, ProductStatus, StoreRef, Variant,
};
pub use put::{PutOutcome, PutProduct, PutResult, PutVariant};
pub use stock::InStock;
pub use store::{Decision, NewStore, OwnStore, Store, StoreChange, StoreReview, StoreStatus, Stores};

/// The tables of this module.
pub static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!();

/// The id of a [`Category`].
pub type CategoryId = Id<Category>;
/// The id of a [`Product`].
pub type ProductId = Id<Product>;
/// The id of a [`Variant`].
pub type VariantId = Id<Variant>;

/// Touched when which products a list holds, or in what order, may have changed.
pub const LISTING: Tag = Tag::topic("catalog/listing");
/// Touched when any store changed.
pub const STORES: Tag = Tag::topic("catalog/stores");
/// Touched when any category changed.
pub const CATEGORIES: Tag = Tag::topic("catalog/categories");

/// A thing's id or its slug.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key<K> {
    /// The id.
    Id(Id<K>),
    /// The slug.
    Slug(Slug),
}

impl<K> Key<K> {
    fn id(&self) -> Option<uuid::Uuid> {
        match self {
            Self::Id(id) => Some(id.uuid()),
            Self::Slug(_) => None,
        }
    }

    fn slug(&self) -> Option<&str> {
        match self {
            Self::Id(_) => None,
            Self::Slug(slug) => Some(slug.as_str()),
        }
    }
}

impl<K> FromStr for Key<K> {
    type Err = platform::slug::NotASlug;
    /// Reads an id, else a slug.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse() {
            Ok(id) => Ok(Self::Id(id)),
            Err(_) => text.parse().map(Self::Slug),
        }
    }
}

/// What others may ask of the catalogue.
#[async_trait]
pub trait Catalog: Stores + Assortment {
    /// Active stores by name.
    async fn stores(&self, actor: &Actor, page: PageRequest) -> Result<Page<Store>, Error>;

    /// One store, as far as the actor may see it: active ones, and those they work for or look after.
    async fn store(&self, actor: &Actor, key: &Key<StoreMark>) -> Result<Store, Error>;

    /// All categories as trees, siblings in their order.
    async fn categories(&self, actor: &Actor) -> Result<Vec<CategoryNode>, Error>;

    /// One product.
    async fn product(&self, actor: &Actor, key: &Key<Product>) -> Result<Product, Error>;

    /// Products that fit the filter, newest first, in numbered pages.
    async fn product_page(
        &self,
        actor: &Actor,
        filter: &ProductFilter,
        page: PageRequest,
    ) -> Result<Page<Product>, Error>;

    /// Products that fit the filter, in the order of `sort`, by cursor.
    async fn products(
        &self,
        actor: &Actor,
        filter: &ProductFilter,
        sort: ProductSort,
        slice: &CursorRequest,
    ) -> Result<Slice<Product>, Error>;

    /// What is offered under these variants now. Variants that can not be bought are left out.
    async fn offers(&self, variants: &[VariantId]) -> Result<Vec<Arc<Offer>>, Error>;

    /// How much there is.
    async fn counts(&self) -> Result<Counts, Error>;

    /// One category.
    async fn category(&self, actor: &Actor, category: CategoryId) -> Result<CategoryEntry, Error>;

    /// Makes a category. For operators.
    async fn create_category(&self, actor: &Actor, category: PutCategory) -> Result<CategoryEntry, Error>;

    /// Changes a category, on top of the version that was read. For operators.
    async fn change_category(
        &self,
        actor: &Actor,
        category: CategoryId,
        change: CategoryChange,
        version: i64,
    ) -> Result<CategoryEntry, Error>;

    /// Removes a category that nothing is in; gives it as it was. For operators.
    async fn delete_category(
        &self,
        actor: &Actor,
        category: CategoryId,
        version: Option<i64>,
    ) -> Result<CategoryEntry, Error>;

    /// Opens a store that trades at once.
    async fn create_store(&self, actor: &Actor, store: NewStore) -> Result<Store, Error>;

    /// Makes the category of this slug, or changes it.
    async fn put_category(&self, actor: &Actor, category: PutCategory) -> Result<CategoryId, Error>;

    /// Makes products, or changes those the store has under the same `external_ref`. All or none. Putting
    /// the same again changes nothing. Variants that a product no longer names stay as they are.
    async fn put_products(
        &self,
        actor: &Actor,
        store: StoreId,
        products: &[PutProduct],
    ) -> Result<Vec<PutResult>, Error>;

    /// Which of the store's products carry one of these `external_ref`s.
    async fn known_products(
        &self,
        actor: &Actor,
        store: StoreId,
        refs: &[String],
    ) -> Result<HashMap<String, Known>, Error>;

    /// Takes note of which variants inventory has. Older news than what is known is passed over.
    async fn set_in_stock(&self, actor: &Actor, news: &[InStock]) -> Result<(), Error>;

    /// Whether the catalogue believes each variant to be in stock, in the order of their ids, after `after`.
    async fn in_stock(&self, after: Option<VariantId>, limit: i64) -> Result<Vec<(VariantId, bool)>, Error>;

    /// The variants of a store that carry this SKU; a store may use one more than once.
    async fn variants_by_sku(
        &self,
        actor: &Actor,
        store: StoreId,
        sku: &str,
    ) -> Result<Vec<VariantId>, Error>;

    /// Forgets what is no longer needed; returns how much.
    async fn clean_up(&self) -> Result<u64, Error>;

    /// Looks for broken invariants.
    async fn verify(&self) -> Result<Vec<Violation>, Error>;
}

/// The catalogue in this process.
pub fn service(database: Database, sources: Sources, identity: Identity) -> Arc<dyn Catalog> {
    let offers = Offers::new(database.clone());
    Arc::new(Service { database, sources, identity, offers })
}

pub(crate) struct Service {
    pub(crate) database: Database,
    pub(crate) sources: Sources,
    pub(crate) identity: Identity,
    offers: Offers,
}

#[async_trait]
impl Catalog for Service {
    async fn stores(&self, _: &Actor, page: PageRequest) -> Result<Page<Store>, Error> {
        store::page(&self.database, page).await
    }

    async fn store(&self, actor: &Actor, key: &Key<StoreMark>) -> Result<Store, Error> {
        store::find(&self.database, actor, key).await
    }

    async fn categories(&self, _: &Actor) -> Result<Vec<CategoryNode>, Error> {
        category::trees(&self.database).await
    }

    async fn product(&self, actor: &Actor, key: &Key<Product>) -> Result<Product, Error> {
        product::find(&self.database, actor, key).await
    }

    async fn product_page(
        &self,
        _: &Actor,
        filter: &ProductFilter,
        page: PageRequest,
    ) -> Result<Page<Product>, Error> {
        list::page(&self.database, filter, page).await
    }

    async fn products(
        &self,
        _: &Actor,
        filter: &ProductFilter,
        sort: ProductSort,
        slice: &CursorRequest,
    ) -> Result<Slice<Product>, Error> {
        list::slice(&self.database, filter, sort, slice).await
    }

    async fn offers(&self, variants: &[VariantId]) -> Result<Vec<Arc<Offer>>, Error> {
        self.offers.of(variants).await
    }

    async fn counts(&self) -> Result<Counts, Error> {
        counts::count(&self.database).await
    }

    async fn category(&self, _: &Actor, category: CategoryId) -> Result<CategoryEntry, Error> {
        category::find(&self.database, category).await
    }

    async fn create_category(&self, actor: &Actor, category: PutCategory) -> Result<CategoryEntry, Error> {
        category::create(&self.database, &self.sources, actor, category).await
    }

    async fn change_category(
        &self,
        actor: &Actor,
        category: CategoryId,
        change: CategoryChange,
        version: i64,
    ) -> Result<CategoryEntry, Error> {
        category::change(&self.database, &self.sources, actor, category, change, version).await
    }

    async fn delete_category(
        &self,
        actor: &Actor,
        category: CategoryId,
        version: Option<i64>,
    ) -> Result<CategoryEntry, Error> {
        category::delete(&self.database, &self.sources, actor, category, version).await
    }

    async fn create_store(&self, actor: &Actor, store: NewStore) -> Result<Store, Error> {
        store::create(&self.database, &self.sources, actor, store).await
    }

    async fn put_category(&self, actor: &Actor, category: PutCategory) -> Result<CategoryId, Error> {
        category::put(&self.database, &self.sources, actor, category).await
    }

    async fn put_products(
        &self,
        actor: &Actor,
        store: StoreId,
        products: &[PutProduct],
    ) -> Result<Vec<PutResult>, Error> {
        authorize::require(&self.database, actor, Permission::ProductsWrite, store).await?;
        put::products(&self.database, &self.sources, store, products).await
    }

    async fn known_products(
        &self,
        actor: &Actor,
        store: StoreId,
        refs: &[String],
    ) -> Result<HashMap<String, Known>, Error> {
        authorize::require(&self.database, actor, Permission::ProductsRead, store).await?;
        known::products(&self.database, store, refs).await
    }

    async fn set_in_stock(&self, actor: &Actor, news: &[InStock]) -> Result<(), Error> {
        if !actor.is_system() {
            return Err(Error::Forbidden);
        }
        stock::set(&self.database, &self.sources, news).await
    }

    async fn in_stock(&self, after: Option<VariantId>, limit: i64) -> Result<Vec<(VariantId, bool)>, Error> {
        stock::believed(&self.database, after, limit).await
    }

    async fn variants_by_sku(
        &self,
        actor: &Actor,
        store: StoreId,
        sku: &str,
    ) -> Result<Vec<VariantId>, Error> {
        authorize::require(&self.database, actor, Permission::ProductsRead, store).await?;
        stock::by_sku(&self.database, store, sku).await
    }

    async fn clean_up(&self) -> Result<u64, Error> {
        once::clean_up(&self.database, self.sources.now()).await
    }

    async fn verify(&self) -> Result<Vec<Violation>, Error> {
        verify::violations(&self.database).await
    }
}
