//! What may be done, and which roles may do it. The whole table of rights is on this page.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Something that may be done. Its name is also the scope of an API key (RFC 6749, 3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
pub enum Permission {
    /// See a store's settings, also while it does not trade.
    #[serde(rename = "store:read")]
    StoreRead,
    /// Change a store's settings.
    #[serde(rename = "store:write")]
    StoreWrite,
    /// See a store's members and invitations.
    #[serde(rename = "team:read")]
    TeamRead,
    /// Invite and remove members, change their roles.
    #[serde(rename = "team:write")]
    TeamWrite,
    /// See a store's drafts and archived products.
    #[serde(rename = "products:read")]
    ProductsRead,
    /// Change products, variants and prices.
    #[serde(rename = "products:write")]
    ProductsWrite,
    /// See stock levels and their history.
    #[serde(rename = "stock:read")]
    StockRead,
    /// Adjust stock.
    #[serde(rename = "stock:write")]
    StockWrite,
    /// See a store's orders.
    #[serde(rename = "orders:read")]
    OrdersRead,
    /// Fulfil and cancel a store's orders.
    #[serde(rename = "orders:write")]
    OrdersWrite,
    /// See a store's money: balances, commission, payouts.
    #[serde(rename = "finance:read")]
    FinanceRead,
    /// Move a store's money: refunds, payouts, payout accounts.
    #[serde(rename = "finance:write")]
    FinanceWrite,
    /// Move the marketplace's own money: commission rules, the ledger, payouts of all stores.
    #[serde(rename = "finance:admin")]
    FinanceAdmin,
    /// See API keys, never their secrets.
    #[serde(rename = "keys:read")]
    KeysRead,
    /// Make and revoke API keys.
    #[serde(rename = "keys:write")]
    KeysWrite,
    /// Look up accounts.
    #[serde(rename = "users:read")]
    UsersRead,
    /// Give and take roles of the marketplace.
    #[serde(rename = "roles:write")]
    RolesWrite,
    /// Approve and suspend stores.
    #[serde(rename = "stores:review")]
    StoresReview,
    /// Change the categories of the marketplace.
    #[serde(rename = "categories:write")]
    CategoriesWrite,
    /// Read the audit log.
    #[serde(rename = "audit:read")]
    AuditRead,
}

use Permission::{
    AuditRead, CategoriesWrite, FinanceAdmin, FinanceRead, FinanceWrite, KeysRead, KeysWrite, OrdersRead,
    OrdersWrite, ProductsRead, ProductsWrite, RolesWrite, StockRead, StockWrite, StoreRead, StoreWrite,
    StoresReview, TeamRead, TeamWrite, UsersRead,
};

impl Permission {
    /// All of them.
    pub const ALL: [Self; 20] = [
        StoreRead,
        StoreWrite,
        TeamRead,
        TeamWrite,
        ProductsRead,
        ProductsWrite,
        StockRead,
        StockWrite,
        OrdersRead,
        OrdersWrite,
        FinanceRead,
        FinanceWrite,
        FinanceAdmin,
        KeysRead,
        KeysWrite,
        UsersRead,
        RolesWrite,
        StoresReview,
        CategoriesWrite,
        AuditRead,
    ];

    /// Its name, as scopes have it.
    pub const fn as_str(self) -> &'static str {
        match self {
            StoreRead => "store:read",
            StoreWrite => "store:write",
            TeamRead => "team:read",
            TeamWrite => "team:write",
            ProductsRead => "products:read",
            ProductsWrite => "products:write",
            StockRead => "stock:read",
            StockWrite => "stock:write",
            OrdersRead => "orders:read",
            OrdersWrite => "orders:write",
            FinanceRead => "finance:read",
            FinanceWrite => "finance:write",
            FinanceAdmin => "finance:admin",
            KeysRead => "keys:read",
            KeysWrite => "keys:write",
            UsersRead => "users:read",
            RolesWrite => "roles:write",
            StoresReview => "stores:review",
            CategoriesWrite => "categories:write",
            AuditRead => "audit:read",
        }
    }

    /// Whether it is about one store; the others are about the marketplace.
    pub const fn is_of_store(self) -> bool {
        !matches!(self, FinanceAdmin | UsersRead | RolesWrite | StoresReview | CategoriesWrite | AuditRead)
    }

    /// Whether it shows or moves money or roles: people of the marketplace need a second factor for it.
    pub const fn is_sensitive(self) -> bool {
        matches!(
            self,
            FinanceRead
                | FinanceWrite
                | FinanceAdmin
                | TeamRead
                | TeamWrite
                | KeysRead
                | KeysWrite
                | UsersRead
                | RolesWrite
        )
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names no permission.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no permission {0:?}")]
pub struct UnknownPermission(pub String);

impl FromStr for Permission {
    type Err = UnknownPermission;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|permission| permission.as_str() == text);
        found.ok_or_else(|| UnknownPermission(text.to_owned()))
    }
}

/// What somebody is to a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StoreRole {
    /// May do everything; a store has at least one.
    Owner,
    /// Runs the store: everything but owners, keys and moving money.
    Manager,
    /// Looks after products, stock and orders.
    Staff,
    /// Looks after the money.
    Finance,
    /// Sees what staff sees and changes nothing.
    ReadOnly,
}

impl StoreRole {
    /// All of them, the most powerful first.
    pub const ALL: [Self; 5] = [Self::Owner, Self::Manager, Self::Staff, Self::Finance, Self::ReadOnly];

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Manager => "manager",
            Self::Staff => "staff",
            Self::Finance => "finance",
            Self::ReadOnly => "read_only",
        }
    }

    /// What it may do in its store.
    pub const fn permissions(self) -> &'static [Permission] {
        match self {
            Self::Owner => &[
                StoreRead,
                StoreWrite,
                TeamRead,
                TeamWrite,
                ProductsRead,
                ProductsWrite,
                StockRead,
                StockWrite,
                OrdersRead,
                OrdersWrite,
                FinanceRead,
                FinanceWrite,
                KeysRead,
                KeysWrite,
            ],
            Self::Manager => &[
                StoreRead,
                StoreWrite,
                TeamRead,
                TeamWrite,
                ProductsRead,
                ProductsWrite,
                StockRead,
                StockWrite,
                OrdersRead,
                OrdersWrite,
                FinanceRead,
                KeysRead,
            ],
            Self::Staff => &[
                StoreRead,
                TeamRead,
                ProductsRead,
                ProductsWrite,
                StockRead,
                StockWrite,
                OrdersRead,
                OrdersWrite,
            ],
            Self::Finance => &[StoreRead, OrdersRead, FinanceRead, FinanceWrite],
            Self::ReadOnly => &[StoreRead, ProductsRead, StockRead, OrdersRead],
        }
    }
}

impl FromStr for StoreRole {
    type Err = UnknownRole;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|role| role.as_str() == text);
        found.ok_or_else(|| UnknownRole(text.to_owned()))
    }
}

/// What somebody is to the marketplace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PlatformRole {
    /// Runs the marketplace: may do everything, in every store.
    Operator,
    /// Helps people: sees, and changes nothing.
    Support,
}

impl PlatformRole {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Operator, Self::Support];

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Support => "support",
        }
    }

    /// What it may do, in every store.
    pub const fn permissions(self) -> &'static [Permission] {
        match self {
            Self::Operator => &Permission::ALL,
            Self::Support => {
                &[StoreRead, TeamRead, ProductsRead, StockRead, OrdersRead, KeysRead, UsersRead, AuditRead]
            }
        }
    }
}

impl FromStr for PlatformRole {
    type Err = UnknownRole;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|role| role.as_str() == text);
        found.ok_or_else(|| UnknownRole(text.to_owned()))
    }
}

/// The text names no role.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no role {0:?}")]
pub struct UnknownRole(pub String);

#[cfg(test)]
mod tests {
    use super::*;

    /// A role of a store gives no right over the marketplace.
    #[test]
    fn roles_of_stores_are_about_stores() {
        for role in StoreRole::ALL {
            assert!(role.permissions().iter().all(|permission| permission.is_of_store()), "{role:?}");
        }
    }

    #[test]
    fn names_are_read_back() {
        for permission in Permission::ALL {
            assert_eq!(permission.as_str().parse(), Ok(permission));
            assert_eq!(serde_json::to_value(permission).unwrap(), permission.as_str());
        }
        for role in StoreRole::ALL {
            assert_eq!(role.as_str().parse(), Ok(role));
        }
        for role in PlatformRole::ALL {
            assert_eq!(role.as_str().parse(), Ok(role));
        }
        assert!("everything".parse::<Permission>().is_err());
    }

    /// The table in docs/permissions.md is made of this file.
    #[test]
    fn the_documented_rights_are_these() {
        let mark = |may: bool| if may { " x " } else { "   " };
        let mut table = String::from("| permission |");
        StoreRole::ALL.iter().for_each(|role| table.push_str(&format!(" {} |", role.as_str())));
        PlatformRole::ALL.iter().for_each(|role| table.push_str(&format!(" {} |", role.as_str())));
        table.push_str("\n|---|---|---|---|---|---|---|---|\n");
        for permission in Permission::ALL {
            table.push_str(&format!("| `{permission}` |"));
            for role in StoreRole::ALL {
                table.push_str(&format!("{}|", mark(role.permissions().contains(&permission))));
            }
            for role in PlatformRole::ALL {
                let may = role.permissions().contains(&permission);
                table.push_str(if may && permission.is_sensitive() { " 2 |" } else { mark(may) });
                table.push_str(if may && permission.is_sensitive() { "" } else { "|" });
            }
            table.push('\n');
        }
        let documented = include_str!("../../../docs/permissions.md");
        assert!(documented.contains(&table), "docs/permissions.md should have this table:\n{table}");
    }

    /// Whoever only sees changes nothing.
    #[test]
    fn readers_do_not_write() {
        let readers = [StoreRole::ReadOnly.permissions(), PlatformRole::Support.permissions()];
        for permission in readers.into_iter().flatten() {
            assert!(permission.as_str().ends_with(":read"), "{permission}");
        }
    }
}
