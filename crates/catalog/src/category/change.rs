//! Making, changing and removing categories: the operators' business.

use identity::{Actor, Permission};
use platform::{Database, Sources, Tx};
use serde_json::json;
use sqlx::PgConnection;

use super::{Category, CategoryChange, CategoryEntry, PutCategory};
use crate::error::stored;
use crate::{CATEGORIES, CategoryId, Error, LISTING};

pub(crate) async fn find(database: &Database, id: CategoryId) -> Result<CategoryEntry, Error> {
    load(&mut *database.pool().acquire().await?, id).await
}

async fn load(connection: &mut PgConnection, id: CategoryId) -> Result<CategoryEntry, Error> {
    let row = sqlx::query!(
        r#"SELECT slug, name, parent_id AS "parent_id: CategoryId", position, version
           FROM catalog.categories WHERE id = $1"#,
        id.uuid(),
    )
    .fetch_optional(connection)
    .await?
    .ok_or(Error::CategoryNotFound)?;
    Ok(CategoryEntry {
        id,
        slug: stored(&row.slug)?,
        name: row.name,
        parent_id: row.parent_id,
        position: row.position,
        version: row.version,
    })
}

/// Opens a transaction in which nobody else changes the tree: two who move categories below each other at the same
/// time would make a circle.
async fn begin(database: &Database) -> Result<Tx, Error> {
    let mut tx = database.begin().await?;
    sqlx::query!("LOCK TABLE catalog.categories IN SHARE ROW EXCLUSIVE MODE").execute(&mut *tx).await?;
    Ok(tx)
}

async fn finish(mut tx: Tx, sources: &Sources) -> Result<(), Error> {
    tx.touch(CATEGORIES);
    tx.touch(LISTING);
    Ok(tx.commit(sources.now()).await?)
}

pub(crate) async fn create(
    database: &Database,
    sources: &Sources,
    actor: &Actor,
    new: PutCategory,
) -> Result<CategoryEntry, Error> {
    actor.require_platform(Permission::CategoriesWrite)?;
    let mut tx = begin(database).await?;
    let category = CategoryEntry {
        id: sources.id::<Category>(),
        slug: new.slug,
        name: new.name,
        parent_id: new.parent_id,
        position: new.position,
        version: 1,
    };
    check_parent(&mut tx, category.id, category.parent_id).await?;
    check_slug(&mut tx, &category).await?;
    sqlx::query!(
        "INSERT INTO catalog.categories (id, parent_id, slug, name, position) VALUES ($1, $2, $3, $4, $5)",
        category.id.uuid(),
        category.parent_id.map(CategoryId::uuid),
        category.slug.as_str(),
        category.name,
        category.position,
    )
    .execute(&mut *tx)
    .await?;
    let facts = json!({"slug": category.slug, "parent_id": category.parent_id});
    tx.audit(actor.did("category.created", "category", category.id).with_facts(facts));
    finish(tx, sources).await?;
    Ok(category)
}

pub(crate) async fn change(
    database: &Database,
    sources: &Sources,
    actor: &Actor,
    id: CategoryId,
    change: CategoryChange,
    version: i64,
) -> Result<CategoryEntry, Error> {
    actor.require_platform(Permission::CategoriesWrite)?;
    let mut tx = begin(database).await?;
    let before = load(&mut tx, id).await?;
    if before.version != version {
        return Err(Error::Stale);
    }
    let facts = json!({"slug": before.slug, "parent_id": before.parent_id});
    let after = CategoryEntry {
        slug: change.slug.unwrap_or(before.slug),
        name: change.name.unwrap_or(before.name),
        parent_id: change.parent_id.unwrap_or(before.parent_id),
        position: change.position.unwrap_or(before.position),
        version: version + 1,
        ..before
    };
    check_parent(&mut tx, id, after.parent_id).await?;
    check_slug(&mut tx, &after).await?;
    sqlx::query!(
        "UPDATE catalog.categories SET slug = $2, name = $3, parent_id = $4, position = $5, version = $6 WHERE id = $1",
        id.uuid(),
        after.slug.as_str(),
        after.name,
        after.parent_id.map(CategoryId::uuid),
        after.position,
        after.version,
    )
    .execute(&mut *tx)
    .await?;
    let facts = json!({"before": facts, "after": {"slug": after.slug, "parent_id": after.parent_id}});
    tx.audit(actor.did("category.changed", "category", id).with_facts(facts));
    finish(tx, sources).await?;
    Ok(after)
}

/// Removes a category that nothing is in. Gives it as it was.
pub(crate) async fn delete(
    database: &Database,
    sources: &Sources,
    actor: &Actor,
    id: CategoryId,
    version: Option<i64>,
) -> Result<CategoryEntry, Error> {
    actor.require_platform(Permission::CategoriesWrite)?;
    let mut tx = begin(database).await?;
    let category = load(&mut tx, id).await?;
    if version.is_some_and(|version| version != category.version) {
        return Err(Error::Stale);
    }
    // Whoever puts a product into it now waits for this row, and then finds it gone.
    sqlx::query!("SELECT id FROM catalog.categories WHERE id = $1 FOR UPDATE", id.uuid())
        .fetch_one(&mut *tx)
        .await?;
    let inside = sqlx::query!(
        r#"SELECT (SELECT count(*) FROM catalog.product_categories WHERE category_id = $1) AS "products!",
                  (SELECT count(*) FROM catalog.categories WHERE parent_id = $1) AS "children!""#,
        id.uuid(),
    )
    .fetch_one(&mut *tx)
    .await?;
    if inside.products + inside.children > 0 {
        return Err(Error::CategoryNotEmpty { products: inside.products, children: inside.children });
    }
    sqlx::query!("DELETE FROM catalog.categories WHERE id = $1", id.uuid()).execute(&mut *tx).await?;
    let facts = json!({"slug": category.slug, "parent_id": category.parent_id});
    tx.audit(actor.did("category.deleted", "category", id).with_facts(facts));
    finish(tx, sources).await?;
    Ok(category)
}

/// The category above has to be there, and not be below.
async fn check_parent(
    connection: &mut PgConnection,
    id: CategoryId,
    parent: Option<CategoryId>,
) -> Result<(), Error> {
    let Some(parent) = parent else { return Ok(()) };
    let above = sqlx::query_scalar!(
        r#"WITH RECURSIVE above AS (
               SELECT id, parent_id FROM catalog.categories WHERE id = $1
               UNION SELECT c.id, c.parent_id FROM catalog.categories c JOIN above ON c.id = above.parent_id)
           SELECT id AS "id!: CategoryId" FROM above"#,
        parent.uuid(),
    )
    .fetch_all(connection)
    .await?;
    if above.is_empty() {
        return Err(Error::invalid("parent_id", "unknown", "there is no such category"));
    }
    if parent == id || above.contains(&id) {
        return Err(Error::invalid("parent_id", "below_itself", "a category can not stand below itself"));
    }
    Ok(())
}

async fn check_slug(connection: &mut PgConnection, category: &CategoryEntry) -> Result<(), Error> {
    let taken = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM catalog.categories WHERE slug = $1 AND id <> $2) AS "taken!""#,
        category.slug.as_str(),
        category.id.uuid(),
    )
    .fetch_one(connection)
    .await?;
    if taken { Err(Error::CategorySlugTaken(category.slug.clone())) } else { Ok(()) }
}
