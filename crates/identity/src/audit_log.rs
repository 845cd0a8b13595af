//! Reading the audit log.

use async_trait::async_trait;
use platform::audit::{self, Filter, Recorded};
use platform::{Cursor, CursorRequest, Slice};

use crate::{Actor, Error, Permission, Service};

/// Who did what to what, from where.
#[async_trait]
pub trait AuditLog: Send + Sync + 'static {
    /// Entries that fit, the newest first.
    async fn entries(
        &self,
        actor: &Actor,
        filter: &Filter,
        slice: &CursorRequest,
    ) -> Result<Slice<Recorded>, Error>;
}

#[async_trait]
impl AuditLog for Service {
    async fn entries(
        &self,
        actor: &Actor,
        filter: &Filter,
        slice: &CursorRequest,
    ) -> Result<Slice<Recorded>, Error> {
        actor.require_platform(Permission::AuditRead)?;
        let before = slice.after.as_ref().map(Cursor::decode::<i64>).transpose()?;
        if filter.action.as_deref().is_some_and(|action| action.contains('\0')) {
            return Err(Error::invalid("action", "invalid", "no action has such a character"));
        }
        let found = audit::entries(&self.0.database, filter, before, i64::from(slice.first) + 1).await?;
        Ok(Slice::of(found, slice.first, |entry| Cursor::encode(&entry.id)))
    }
}
