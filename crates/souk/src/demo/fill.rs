//! Puts the demo marketplace into an empty database, through the modules' faces.

use std::collections::HashMap;
use std::path::Path;

use anyhow::Context;
use catalog::{
    CategoryId, Image, Key, NewStore, ProductFilter, ProductOption, PutCategory, PutProduct, PutVariant,
    StoreId,
};
use identity::Actor;
use inventory::{Adjustment, Reason};
use payments::sandbox::Chaos;
use platform::{Currency, Money, PageRequest, Slug};

use super::commission;
use super::content::{self, Demo, Product, Store};
use super::drawing::{product_svg, store_svg};
use super::people;
use crate::app::App;

/// Fills in the demo data if the database is empty; a filling that was interrupted is taken up again.
/// Pictures are drawn into `media`.
pub(crate) async fn fill_if_empty(app: &App, media: &Path) -> anyhow::Result<()> {
    let demo = content::load();
    draw(&demo, media).await?;
    let (Some(first), Some(last)) = (demo.stores.first(), demo.stores.last()) else { return Ok(()) };
    if app.catalog.counts().await?.stores > 0 {
        if find(app, first).await?.is_none() {
            tracing::info!("the database is not empty: no demo data is filled in");
            return Ok(());
        }
        if is_stocked(app, last).await? {
            return settle(app, &demo).await;
        }
    }
    if let Some(sandbox) = &app.sandbox {
        // Stores of a demo have nobody who would say who they are.
        let chaos = Chaos { activate_accounts: true, ..Chaos::default() };
        sandbox.set_chaos(&Actor::system(), &chaos).await?;
    }
    let categories = put_categories(app, &demo).await?;
    for store in &demo.stores {
        let id = match find(app, store).await? {
            Some(id) => id,
            None => create(app, store).await?,
        };
        put_products(app, id, store, &categories).await?;
    }
    settle(app, &demo).await?;
    app.dispatcher().drain().await?;
    tracing::info!(stores = demo.stores.len(), "the demo marketplace is ready");
    Ok(())
}

/// Gives the marketplace its people.
async fn settle(app: &App, demo: &Demo) -> anyhow::Result<()> {
    people::put_people(app).await?;
    commission::put_rules(app).await?;
    for store in &demo.stores {
        if let Some(id) = find(app, store).await? {
            people::put_owner(app, id, &store.slug, &store.name).await?;
        }
    }
    Ok(())
}

async fn find(app: &App, store: &Store) -> anyhow::Result<Option<StoreId>> {
    match app.catalog.store(&Actor::system(), &Key::Slug(store.slug.parse()?)).await {
        Ok(found) => Ok(Some(found.id)),
        Err(catalog::Error::StoreNotFound) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Whether the store's opening stock is there: the last thing that is written for it.
async fn is_stocked(app: &App, store: &Store) -> anyhow::Result<bool> {
    let Some(id) = find(app, store).await? else { return Ok(false) };
    let filter = ProductFilter { store: Some(Key::Id(id)), ..ProductFilter::default() };
    let page = PageRequest { page: 1, per_page: PageRequest::MAX_PER_PAGE };
    let products = app.catalog.product_page(&Actor::system(), &filter, page).await?.data;
    let variants: Vec<_> =
        products.iter().flat_map(|product| &product.variants).map(|variant| variant.id).collect();
    Ok(app.inventory.available(&variants).await?.values().any(|available| *available > 0))
}

async fn draw(demo: &Demo, media: &Path) -> anyhow::Result<()> {
    let folder = media.join("demo");
    tokio::fs::create_dir_all(&folder).await.with_context(|| format!("can not make {}", folder.display()))?;
    for store in &demo.stores {
        write(&folder, &format!("{}.svg", store.slug), || store_svg(store)).await?;
        for product in &store.products {
            for image in &product.images {
                write(&folder, &image.file, || product_svg(product, store)).await?;
            }
        }
    }
    Ok(())
}

async fn write(folder: &Path, file: &str, draw: impl FnOnce() -> String) -> anyhow::Result<()> {
    let path = folder.join(file);
    if !tokio::fs::try_exists(&path).await? {
        tokio::fs::write(&path, draw()).await.with_context(|| format!("can not write {}", path.display()))?;
    }
    Ok(())
}

async fn put_categories(app: &App, demo: &Demo) -> anyhow::Result<HashMap<String, CategoryId>> {
    let mut ids: HashMap<String, CategoryId> = HashMap::new();
    for (position, category) in (0..).zip(&demo.categories) {
        let put = PutCategory {
            slug: category.slug.parse()?,
            name: category.name.clone(),
            parent_id: category.parent.as_ref().and_then(|parent| ids.get(parent).copied()),
            position,
        };
        ids.insert(category.slug.clone(), app.catalog.put_category(&Actor::system(), put).await?);
    }
    Ok(ids)
}

async fn create(app: &App, store: &Store) -> anyhow::Result<StoreId> {
    let slug: Slug = store.slug.parse()?;
    let new = NewStore {
        image_url: Some(format!("/media/demo/{slug}.svg")),
        slug,
        name: store.name.clone(),
        description: store.description.clone(),
        currency: store.currency.parse()?,
    };
    Ok(app.catalog.create_store(&Actor::system(), new).await?.id)
}

async fn put_products(
    app: &App,
    id: StoreId,
    store: &Store,
    categories: &HashMap<String, CategoryId>,
) -> anyhow::Result<()> {
    let currency: Currency = store.currency.parse()?;
    let products: Vec<PutProduct> = store
        .products
        .iter()
        .map(|product| put(store, product, currency, categories))
        .collect::<Result<_, _>>()?;
    let results = app.catalog.put_products(&Actor::system(), id, &products).await?;
    let openings: Vec<Adjustment> = store
        .products
        .iter()
        .zip(&results)
        .flat_map(|(product, result)| product.variants.iter().zip(&result.variants))
        .map(|(variant, (variant_id, _))| Adjustment {
            variant_id: *variant_id,
            quantity: variant.stock,
            reason: Reason::Opening,
            note: Some("demo data".to_owned()),
        })
        .collect();
    app.inventory.adjust(&Actor::system(), &openings).await?;
    Ok(())
}

fn put(
    store: &Store,
    product: &Product,
    currency: Currency,
    categories: &HashMap<String, CategoryId>,
) -> anyhow::Result<PutProduct> {
    Ok(PutProduct {
        external_ref: product.slug.clone(),
        slug: product.slug.parse()?,
        title: product.title.clone(),
        description: product.description.clone(),
        vendor: Some(store.name.clone()),
        tags: Vec::new(),
        status: product.status.parse().map_err(anyhow::Error::msg)?,
        options: product
            .options
            .iter()
            .map(|option| ProductOption { name: option.name.clone(), values: option.values.clone() })
            .collect(),
        images: product
            .images
            .iter()
            .map(|image| Image { url: format!("/media/demo/{}", image.file), alt: image.alt.clone() })
            .collect(),
        categories: product
            .categories
            .iter()
            .map(|slug| categories.get(slug).copied().with_context(|| format!("no category {slug}")))
            .collect::<Result<_, _>>()?,
        variants: product
            .variants
            .iter()
            .map(|variant| PutVariant {
                sku: Some(variant.sku.clone()),
                barcode: Some(variant.barcode.clone()),
                options: variant.options.clone(),
                price: Money::new(variant.price, currency),
                compare_at_price: variant.compare_at_price.map(|amount| Money::new(amount, currency)),
                weight_grams: variant.weight_grams,
                image_url: None,
            })
            .collect(),
        created_at: None,
    })
}
