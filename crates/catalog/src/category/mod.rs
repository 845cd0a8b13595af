//! Categories: a tree that all stores share.
mod change;

use std::collections::HashMap;

use identity::{Actor, Permission};
use platform::{Database, Slug, Sources};
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::stored;
use crate::{CATEGORIES, CategoryId, Error, LISTING};

pub(crate) use change::{change, create, delete, find};

/// Marks ids of categories; what clients see is [`CategoryNode`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Category {}

/// A category with those below it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CategoryNode {
    /// Its id.
    pub id: CategoryId,
    /// Its name in addresses.
    pub slug: Slug,
    /// Its name.
    #[schema(example = "Teapots")]
    pub name: String,
    /// The category above it.
    pub parent_id: Option<CategoryId>,
    /// Those below it, in their order.
    #[schema(no_recursion)]
    pub children: Vec<CategoryNode>,
}

/// A category by itself.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CategoryEntry {
    /// Its id.
    pub id: CategoryId,
    /// Its name in addresses.
    pub slug: Slug,
    /// Its name.
    #[schema(example = "Teapots")]
    pub name: String,
    /// The category above it.
    pub parent_id: Option<CategoryId>,
    /// Its place among its siblings, who stand by slug where it is the same.
    pub position: i32,
    /// Counts its changes.
    #[serde(skip)]
    pub version: i64,
}

/// What is to be changed of a category; what is not named stays.
#[derive(Clone, Debug, Default)]
pub struct CategoryChange {
    /// Its name in addresses.
    pub slug: Option<Slug>,
    /// Its name.
    pub name: Option<String>,
    /// The category above it; `Some(None)` puts it at the top.
    pub parent_id: Option<Option<CategoryId>>,
    /// Its place among its siblings.
    pub position: Option<i32>,
}

/// A category to be made or changed.
#[derive(Clone, Debug)]
pub struct PutCategory {
    /// Its name in addresses, unique.
    pub slug: Slug,
    /// Its name.
    pub name: String,
    /// The category above it.
    pub parent_id: Option<CategoryId>,
    /// Its place among its siblings.
    pub position: i32,
}

pub(crate) async fn trees(database: &Database) -> Result<Vec<CategoryNode>, Error> {
    let rows = sqlx::query!(
        r#"SELECT id AS "id: CategoryId", parent_id AS "parent_id: CategoryId", slug, name
           FROM catalog.categories ORDER BY position, slug"#
    )
    .fetch_all(database.pool())
    .await?;
    let mut below: HashMap<Option<CategoryId>, Vec<CategoryNode>> = HashMap::new();
    for row in rows {
        below.entry(row.parent_id).or_default().push(CategoryNode {
            id: row.id,
            slug: stored(&row.slug)?,
            name: row.name,
            parent_id: row.parent_id,
            children: Vec::new(),
        });
    }
    Ok(take(&mut below, None))
}

fn take(
    below: &mut HashMap<Option<CategoryId>, Vec<CategoryNode>>,
    parent: Option<CategoryId>,
) -> Vec<CategoryNode> {
    let mut nodes = below.remove(&parent).unwrap_or_default();
    for node in &mut nodes {
        node.children = take(below, Some(node.id));
    }
    nodes
}

pub(crate) async fn put(
    database: &Database,
    sources: &Sources,
    actor: &Actor,
    put: PutCategory,
) -> Result<CategoryId, Error> {
    actor.require_platform(Permission::CategoriesWrite)?;
    let mut tx = database.begin().await?;
    let id = sqlx::query_scalar!(
        r#"INSERT INTO catalog.categories AS c (id, parent_id, slug, name, position) VALUES ($1, $2, $3, $4, $5)
           ON CONFLICT (slug) DO UPDATE
           SET parent_id = $2, name = $4, position = $5, version = c.version + 1
           RETURNING id AS "id: CategoryId""#,
        sources.id::<Category>().uuid(),
        put.parent_id.map(CategoryId::uuid),
        put.slug.as_str(),
        put.name,
        put.position,
    )
    .fetch_one(&mut *tx)
    .await?;
    tx.touch(CATEGORIES);
    tx.touch(LISTING);
    tx.commit(sources.now()).await?;
    Ok(id)
}
