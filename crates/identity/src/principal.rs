//! Loading what somebody may do.

use std::str::FromStr;

use crate::permission::{Permission, PlatformRole, StoreRole};
use crate::{Error, StoreId};

/// The role of the marketplace, as it is stored.
pub(crate) fn role(stored: Option<&str>) -> Result<Option<PlatformRole>, Error> {
    stored.map(PlatformRole::from_str).transpose().map_err(Error::stored)
}

/// Memberships, as two arrays of one query.
pub(crate) fn memberships(stores: &[StoreId], roles: &[String]) -> Result<Vec<(StoreId, StoreRole)>, Error> {
    stores.iter().zip(roles).map(|(store, role)| Ok((*store, role.parse().map_err(Error::stored)?))).collect()
}

/// Scopes, as they are stored. One that is gone from the code gives nothing.
pub(crate) fn scopes(stored: &[String]) -> Vec<Permission> {
    stored.iter().filter_map(|scope| scope.parse().ok()).collect()
}
