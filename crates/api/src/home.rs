//! The front page: what runs here and where to go from it.

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use catalog::{Counts, Key, ProductFilter, STORES, Store};
use identity::Actor;
use minijinja::value::Serde;
use minijinja::{Environment, Value};
use platform::{PageRequest, Tag};
use serde::Serialize;

use crate::Api;
use crate::assets::as_page;
use crate::cache::{self, Asked, HTML, Made};
use crate::problem::Problem;
use crate::rest::{absolute, list_tags, of_products};

const FEATURED: u32 = 12;

pub(crate) fn routes(api: Api) -> Router {
    Router::new().route("/", get(home)).with_state(api)
}

/// What the template shows.
#[derive(Serialize)]
struct Home<'a> {
    version: &'static str,
    demo: bool,
    base_url: &'a str,
    ops_url: &'a str,
    counts: Counts,
    featured: Vec<Featured>,
    stores: Vec<StoreCard>,
}

#[derive(Serialize)]
struct Featured {
    title: String,
    url: String,
    image_url: Option<String>,
    store_name: String,
    price: String,
    sold_out: bool,
}

#[derive(Serialize)]
struct StoreCard {
    name: String,
    slug: String,
    description: String,
    url: String,
    image_url: Option<String>,
}

async fn home(State(api): State<Api>, asked: Asked) -> Result<Response, Problem> {
    cache::answer(&api, &asked, "home".to_owned(), || make(&api)).await.map(as_page)
}

async fn make(api: &Api) -> Result<Made, Problem> {
    let guest = Actor::stranger();
    let counts = api.catalog.counts().await?;
    let page = PageRequest { page: 1, per_page: PageRequest::MAX_PER_PAGE };
    let stores = api.catalog.stores(&guest, page).await?.data;
    let (featured, mut tags) = featured(api, &stores).await?;
    tags.extend(stores.iter().map(|store| Tag::id(store.id)).chain([STORES]));
    let stores: Vec<StoreCard> = stores
        .into_iter()
        .map(|store| StoreCard {
            url: format!("/api/v1/stores/{}/products", store.slug),
            image_url: store.image_url.map(|url| absolute(&api.settings.public_url, &url)),
            slug: store.slug.into(),
            name: store.name,
            description: store.description,
        })
        .collect();
    let html = render(&Home {
        version: env!("CARGO_PKG_VERSION"),
        demo: api.settings.demo,
        base_url: api.settings.public_url.as_str().trim_end_matches('/'),
        ops_url: api.settings.ops_url.as_str().trim_end_matches('/'),
        counts,
        featured,
        stores,
    })
    .map_err(|error| {
        tracing::error!(%error, "the front page could not be rendered");
        Problem::new(
            axum::http::StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "something went wrong on our side",
        )
    })?;
    let surrogate_key = "products stores".to_owned();
    Ok(Made { body: html.into_bytes(), content_type: HTML, tags, surrogate_key, link: None })
}

/// The newest products of the stores in turn, so that no store takes the whole page; and what they depend on.
async fn featured(api: &Api, stores: &[Store]) -> Result<(Vec<Featured>, Vec<Tag>), Problem> {
    let each =
        PageRequest { page: 1, per_page: FEATURED.div_ceil(u32::try_from(stores.len().max(1)).unwrap_or(1)) };
    let mut shelves = Vec::new();
    for store in stores.iter().take(FEATURED as usize) {
        let filter = ProductFilter {
            store: Some(Key::Id(store.id)),
            in_stock: Some(true),
            ..ProductFilter::default()
        };
        let newest = api.catalog.product_page(&Actor::stranger(), &filter, each).await?.data;
        shelves.push(of_products(api, newest).await?.into_iter());
    }
    let mut featured = Vec::new();
    for _ in 0..each.per_page {
        featured.extend(shelves.iter_mut().filter_map(Iterator::next));
    }
    featured.truncate(FEATURED as usize);
    let (tags, _) = list_tags(&featured);
    let featured = featured
        .iter()
        .map(|product| Featured {
            title: product.title().to_owned(),
            url: format!("/api/v1/products/{}", product.slug()),
            image_url: product.image_url().map(str::to_owned),
            store_name: product.store_name().to_owned(),
            price: product.price_from(),
            sold_out: product.is_sold_out(),
        })
        .collect();
    Ok((featured, tags))
}

fn render(home: &Home<'_>) -> Result<String, minijinja::Error> {
    let mut environment = Environment::new();
    environment.add_template("home.html", include_str!("../templates/home.html"))?;
    environment.get_template("home.html")?.render(Value::from(Serde(home)))
}
