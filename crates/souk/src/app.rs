//! Wiring: which implementation stands behind each face.

use std::sync::Arc;

use catalog::Catalog;
use identity::Identity;
use inventory::{Inventory, StockKeeping};
use notifications::Mails;
use orders::Orders;
use payments::sandbox::{self, Sandbox};
use payments::{Commission, Inbox, Ledger, PaymentMethods, Payments, Payouts, Reconciliation};
use platform::outbox::{Dispatcher, Handler};
use platform::schedule::Recurring;
use platform::{Database, Sources};
use sqlx::migrate::Migrator;
use waiting_room::WaitingRoom;

use crate::mail::Catcher;

pub use notifications::Settings as MailSettings;

/// The modules and their migrations, in the order they run.
pub fn migrations() -> [(&'static str, &'static Migrator); 8] {
    [
        ("platform", &platform::MIGRATIONS),
        ("identity", &identity::MIGRATIONS),
        ("catalog", &catalog::MIGRATIONS),
        ("waiting_room", &waiting_room::MIGRATIONS),
        ("inventory", &inventory::MIGRATIONS),
        ("payments", &payments::MIGRATIONS),
        ("orders", &orders::MIGRATIONS),
        ("notifications", &notifications::MIGRATIONS),
    ]
}

/// What may differ from one marketplace to the next, by module.
#[derive(Clone, Debug)]
pub struct Settings {
    /// People and programs.
    pub identity: identity::Settings,
    /// Money: who is asked for it, and how it goes to stores.
    pub payments: payments::Settings,
    /// Carts and orders.
    pub orders: orders::Settings,
    /// Mail.
    pub mail: notifications::Settings,
}

/// All modules in one process.
#[derive(Clone)]
pub struct App {
    /// PostgreSQL.
    pub database: Database,
    /// Time and randomness.
    pub sources: Sources,
    /// People and programs.
    pub identity: Identity,
    /// Stores, categories, products.
    pub catalog: Arc<dyn Catalog>,
    /// Stock.
    pub inventory: Arc<dyn Inventory>,
    /// What stores do with their stock.
    pub stock_keeping: Arc<dyn StockKeeping>,
    /// Who may buy when.
    pub waiting_room: Arc<dyn WaitingRoom>,
    /// Money from buyers.
    pub payments: Arc<dyn Payments>,
    /// What buyers keep to pay with.
    pub payment_methods: Arc<dyn PaymentMethods>,
    /// The books.
    pub ledger: Arc<dyn Ledger>,
    /// Stores' money on its way to them.
    pub payouts: Arc<dyn Payouts>,
    /// The providers' books against the ledger.
    pub reconciliation: Arc<dyn Reconciliation>,
    /// What the marketplace takes of sales.
    pub commission: Arc<dyn Commission>,
    /// What payment providers tell unasked.
    pub inbox: Arc<dyn Inbox>,
    /// The sandbox provider, if it is the one that is asked for money.
    pub sandbox: Option<Arc<dyn Sandbox>>,
    /// Carts and orders.
    pub orders: Arc<dyn Orders>,
    /// Mail.
    pub mails: Arc<dyn Mails>,
}

impl App {
    /// Wires the modules onto a migrated database.
    ///
    /// # Errors
    /// When the payment provider can not be called with these settings.
    pub fn new(
        database: Database,
        sources: Sources,
        settings: Settings,
    ) -> Result<Self, payments::StripeSettingsError> {
        // Derived, so that what is signed for lines is good for nothing else.
        let waiting = waiting_room::Settings::new(settings.identity.vault.derive("waiting_room"));
        let identity = identity::service(database.clone(), sources.clone(), settings.identity);
        let catalog = catalog::service(database.clone(), sources.clone(), identity.clone());
        let (inventory, stock_keeping) =
            inventory::service(database.clone(), sources.clone(), Arc::clone(&catalog));
        let waiting_room =
            waiting_room::service(database.clone(), sources.clone(), Arc::clone(&catalog), &waiting);
        let payments::Faces {
            payments,
            methods,
            ledger,
            commission,
            payouts,
            reconciliation,
            inbox,
            sandbox,
        } = payments::service(database.clone(), sources.clone(), settings.payments)?;
        let orders = orders::service(
            database.clone(),
            sources.clone(),
            Arc::clone(&catalog),
            Arc::clone(&inventory),
            Arc::clone(&payments),
            Arc::clone(&waiting_room),
            settings.orders,
        );
        let mails = notifications::service(database.clone(), sources.clone(), settings.mail);
        Ok(Self {
            database,
            sources,
            identity,
            catalog,
            inventory,
            stock_keeping,
            waiting_room,
            payments,
            payment_methods: methods,
            ledger,
            payouts,
            reconciliation,
            commission,
            inbox,
            sandbox,
            orders,
            mails,
        })
    }

    /// What the API stands in front of.
    pub fn modules(&self) -> api::Modules {
        api::Modules {
            identity: self.identity.clone(),
            catalog: Arc::clone(&self.catalog),
            inventory: Arc::clone(&self.inventory),
            stock_keeping: Arc::clone(&self.stock_keeping),
            waiting_room: Arc::clone(&self.waiting_room),
            orders: Arc::clone(&self.orders),
            payment_methods: Arc::clone(&self.payment_methods),
            ledger: Arc::clone(&self.ledger),
            payouts: Arc::clone(&self.payouts),
            reconciliation: Arc::clone(&self.reconciliation),
            commission: Arc::clone(&self.commission),
            inbox: Arc::clone(&self.inbox),
            sandbox: self.sandbox.clone(),
            mailbox: Some(Arc::new(Catcher(Arc::clone(&self.mails)))),
            changes: Arc::clone(self.database.changes()),
            sources: self.sources.clone(),
        }
    }

    /// Carries events from module to module.
    pub fn dispatcher(&self) -> Dispatcher {
        let handlers: Vec<Arc<dyn Handler>> = vec![
            Arc::new(inventory::jobs::TellCatalog(Arc::clone(&self.catalog))),
            Arc::new(identity::jobs::PrepareMails(self.identity.clone())),
            Arc::new(orders::jobs::ForgetBuyers(Arc::clone(&self.orders))),
            Arc::new(payments::jobs::ForgetMethods(Arc::clone(&self.payments))),
            Arc::new(orders::jobs::ExpireUnpaid(Arc::clone(&self.orders))),
            Arc::new(orders::jobs::SettleStock(Arc::clone(&self.inventory))),
            Arc::new(orders::jobs::SettleMoney(Arc::clone(&self.orders))),
            Arc::new(orders::jobs::FollowPayments(Arc::clone(&self.orders))),
            Arc::new(orders::jobs::FollowRefunds(Arc::clone(&self.orders))),
            Arc::new(orders::jobs::Restock(Arc::clone(&self.inventory))),
            Arc::new(notifications::jobs::QueueMails(Arc::clone(&self.mails))),
        ];
        Dispatcher::new(self.database.clone(), self.sources.clone(), handlers)
    }

    /// The work that repeats in the background.
    pub fn recurring(&self) -> Vec<Arc<dyn Recurring>> {
        let mut work: Vec<Arc<dyn Recurring>> = vec![
            Arc::new(orders::jobs::Recover(Arc::clone(&self.orders))),
            Arc::new(payments::jobs::CarryOn(Arc::clone(&self.payments))),
            Arc::new(payments::jobs::PayOut(Arc::clone(&self.payouts))),
            Arc::new(payments::jobs::Reconcile(Arc::clone(&self.reconciliation))),
            Arc::new(orders::jobs::CleanUp(Arc::clone(&self.orders))),
            Arc::new(catalog::jobs::CleanUp(Arc::clone(&self.catalog))),
            Arc::new(inventory::jobs::Sweep(Arc::clone(&self.inventory))),
            Arc::new(waiting_room::jobs::Admit(Arc::clone(&self.waiting_room))),
            Arc::new(waiting_room::jobs::CleanUp(Arc::clone(&self.waiting_room))),
            Arc::new(payments::jobs::ProcessWebhooks(Arc::clone(&self.inbox))),
            Arc::new(payments::jobs::ArchiveWebhooks(Arc::clone(&self.inbox))),
            Arc::new(identity::jobs::CleanUp(self.identity.clone())),
            Arc::new(notifications::jobs::SendMails(Arc::clone(&self.mails))),
            Arc::new(notifications::jobs::CleanUp(Arc::clone(&self.mails))),
        ];
        if let Some(sandbox) = &self.sandbox {
            work.push(Arc::new(sandbox::Deliver(Arc::clone(sandbox))));
        }
        work
    }
}
