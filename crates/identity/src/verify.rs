//! What `souk verify` asks of this module.

use platform::{Database, Violation};

use crate::{Error, StoreId};

pub(crate) async fn violations(database: &Database) -> Result<Vec<Violation>, Error> {
    let mut found = Vec::new();
    let rows = sqlx::query!(
        r#"SELECT 'session' AS "what!", s.id AS "id!" FROM identity.sessions s JOIN identity.users u ON u.id = s.user_id
           WHERE u.deleted_at IS NOT NULL AND s.revoked_at IS NULL
           UNION ALL
           SELECT 'membership', m.user_id FROM identity.memberships m JOIN identity.users u ON u.id = m.user_id
           WHERE u.deleted_at IS NOT NULL
           UNION ALL
           SELECT 'address', a.id FROM identity.addresses a JOIN identity.users u ON u.id = a.user_id
           WHERE u.deleted_at IS NOT NULL
           UNION ALL
           SELECT 'passkey', p.id FROM identity.passkeys p JOIN identity.users u ON u.id = p.user_id
           WHERE u.deleted_at IS NOT NULL
           UNION ALL
           SELECT 'account elsewhere', e.user_id FROM identity.external_accounts e JOIN identity.users u ON u.id = e.user_id
           WHERE u.deleted_at IS NOT NULL
           UNION ALL
           SELECT 'mailed secret', t.user_id FROM identity.mailed_tokens t JOIN identity.users u ON u.id = t.user_id
           WHERE u.deleted_at IS NOT NULL"#
    )
    .fetch_all(database.lists())
    .await?;
    found.extend(rows.into_iter().map(|row| {
        let message = format!("a {} of an account that is deleted", row.what);
        Violation::new("identity/deleted_is_gone", row.id, message)
    }));
    let rows = sqlx::query!(
        "SELECT id FROM identity.sessions WHERE idle_expires_at > expires_at OR last_seen_at < created_at"
    )
    .fetch_all(database.lists())
    .await?;
    found.extend(rows.into_iter().map(|row| {
        Violation::new(
            "identity/sessions_end",
            row.id,
            "it may be used beyond its end, or was before its beginning",
        )
    }));
    let rows = sqlx::query!(
        r#"SELECT session_id FROM identity.refresh_tokens t JOIN identity.sessions s ON s.id = t.session_id
           WHERE s.revoked_at IS NULL AND t.used_at IS NULL GROUP BY session_id HAVING count(*) > 1"#
    )
    .fetch_all(database.lists())
    .await?;
    found.extend(rows.into_iter().map(|row| {
        Violation::new("identity/one_refresh_token", row.session_id, "more than one refresh token is good")
    }));
    let rows = sqlx::query!(
        r#"SELECT store_id FROM identity.memberships GROUP BY store_id HAVING count(*) FILTER (WHERE role = 'owner') = 0"#
    )
    .fetch_all(database.lists())
    .await?;
    found.extend(
        rows.into_iter().map(|row| Violation::new("identity/stores_have_owners", row.store_id, "no owner")),
    );
    let rows = sqlx::query!(
        r#"SELECT user_id FROM identity.recovery_codes c WHERE NOT EXISTS (SELECT FROM identity.totp t
             WHERE t.user_id = c.user_id AND t.confirmed_at IS NOT NULL)
             AND NOT EXISTS (SELECT FROM identity.passkeys p WHERE p.user_id = c.user_id) GROUP BY user_id"#
    )
    .fetch_all(database.lists())
    .await?;
    found.extend(rows.into_iter().map(|row| {
        Violation::new(
            "identity/recovery_codes_recover",
            row.user_id,
            "recovery codes without a second factor",
        )
    }));
    let signing =
        sqlx::query_scalar!(r#"SELECT count(*) AS "n!" FROM identity.signing_keys WHERE retires_at IS NULL"#)
            .fetch_one(database.lists())
            .await?;
    if signing > 1 {
        let message = format!("{signing} keys would sign for good");
        found.push(Violation::new("identity/one_signing_key", "signing_keys", message));
    }
    Ok(found)
}

pub(crate) async fn stores(
    database: &Database,
    after: Option<StoreId>,
    limit: i64,
) -> Result<Vec<StoreId>, Error> {
    Ok(sqlx::query_scalar!(
        r#"SELECT store_id AS "store_id!: StoreId" FROM (
               SELECT store_id FROM identity.memberships
               UNION SELECT store_id FROM identity.invitations WHERE accepted_at IS NULL AND revoked_at IS NULL
               UNION SELECT store_id FROM identity.api_keys WHERE store_id IS NOT NULL AND revoked_at IS NULL) s
           WHERE $1::uuid IS NULL OR store_id > $1 ORDER BY store_id LIMIT $2"#,
        after.map(StoreId::uuid),
        limit,
    )
    .fetch_all(database.lists())
    .await?)
}
