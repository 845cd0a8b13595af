//! Payments: asks providers for money, remembers what they said, and keeps the books of it.
//!
//! Invariants: a payment is asked of its provider under its own id as the idempotency key, so that asking
//! again after a crash never charges twice; what was declined or voided can only turn out to have succeeded, and what
//! succeeded stays so; never more goes back than was taken; every cent is in the [`ledger`], whose entries sum to zero.
mod adjustment;
mod commission;
mod dispute;
mod error;
pub mod events;
mod inbox;
pub mod jobs;
mod ledger;
mod method;
mod news;
mod payment;
mod payout;
mod provider;
mod reconciliation;
mod refund;
mod reserve;
mod sale;
pub mod sandbox;
mod settings;
mod share;
mod stripe;
mod verify;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use identity::UserId;
use platform::batch::{self, Batch};
use platform::{Database, Id, Sources, Violation};
use uuid::Uuid;

use commission::KnownRules;
use payment::Charging;
use provider::{Asked, Guard, Patience, Provider};
use sandbox::{Company, Sandbox};
use stripe::Stripe;

pub use adjustment::{Adjusted, Adjusting, Adjustment, AdjustmentId};
pub use commission::{
    Commission, CommissionBook, CommissionBracket, CommissionLine, CommissionRule, CommissionRuleChange,
    CommissionTerms, LineCommission, MadeCommissionRule, NewCommissionRule,
};
pub use dispute::Dispute;
pub use error::{DeclineCode, Error};
pub use inbox::{Inbox, Received, WebhookEvent, WebhookEventId, WebhookFilter, WebhookState};
pub use ledger::{
    Account, AccountKind, Balance, Ledger, LedgerHead, POSTING_RULES, PostingRule, Rule, Selection,
    StatementLine,
};
pub use method::{PaymentMeans, PaymentMethod, PaymentMethods};
pub use payment::{Charge, PageRequest, Payment, PaymentState};
pub use payout::{
    ItemisedPayout, Payout, PayoutAccount, PayoutDefaults, PayoutItem, PayoutMark, PayoutOrigin, PayoutRun,
    PayoutSettings, PayoutState, Payouts, PutPayoutSettings, Schedule, Statement, StatementFormat,
    StatementTotal, StoreBalance, UnknownSchedule, Weekday,
};
pub use provider::PaymentToken;
pub use reconciliation::{
    EXCEPTION_KINDS, ExceptionFilter, ExceptionKind, ExceptionRule, ExceptionState, ProviderLine,
    RECONCILIATION_GRACE, Reconciliation, ReconciliationException, ReconciliationExceptionId,
    ReconciliationRun, ReconciliationSummary, UnknownExceptionKind, UnknownExceptionState,
};
pub use refund::{Destination, Refund, RefundState, Refunding};
pub use sale::{Sale, Share};
pub use settings::{ProviderSettings, Settings};
pub use stripe::{StripeSettings, StripeSettingsError};

/// The tables of this module.
pub static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!();

/// The id of a payment: whoever wants the money picks it, and asking again with the same id is safe.
pub type PaymentId = Id<Payment>;
/// The id of a [`PaymentMethod`].
pub type PaymentMethodId = Id<PaymentMethod>;
/// The id of a [`Refund`]: whoever gives money back picks it, and asking again with the same id is safe.
pub type RefundId = Id<Refund>;
/// The id of a [`Dispute`].
pub type DisputeId = Id<Dispute>;
/// The id of a [`Payout`].
pub type PayoutId = Id<Payout>;
/// The id of a [`CommissionRule`].
pub type CommissionRuleId = Id<CommissionRule>;

/// A payment of which nothing was heard for so long is asked about.
const SILENCE: Duration = Duration::from_secs(60);

/// What others may ask of payments.
#[async_trait]
pub trait Payments: Send + Sync + 'static {
    /// Says of each whether it may be charged, before anything is done with it: a token has its form, and what is kept is
    /// kept for whoever pays.
    async fn check(
        &self,
        wanted: &[(&PaymentMeans, Option<UserId>)],
    ) -> Result<Vec<Result<(), Error>>, Error>;

    /// Removes all that somebody kept whose account is gone.
    async fn forget_methods(&self, owner: UserId) -> Result<(), Error>;

    /// The commission rules that count, from memory: whoever prices an order asks the book what is taken of its lines.
    async fn commission_book(&self) -> Result<Arc<CommissionBook>, Error>;

    /// Takes money. Idempotent per id. A declined payment is an answer, not an error.
    async fn charge(&self, charge: Charge<'_>) -> Result<Payment, Error>;

    /// Opens a page at the provider on which the buyer pays, or gives the one that is open for the order.
    async fn open_page(&self, request: PageRequest) -> Result<Payment, Error>;

    /// How a payment stands. The provider is asked while it has not come to its end.
    async fn look(&self, id: PaymentId) -> Result<Payment, Error>;

    /// Sees to it that these orders can not be paid any more: their pages are closed, and challenges come to nothing. What
    /// was paid meanwhile stays so, and is told of.
    async fn void_open(&self, orders: &[Uuid]) -> Result<(), Error>;

    /// Gives back all of a payment that its order can not take: it came too late, or twice. Once per payment.
    async fn give_back(&self, id: PaymentId) -> Result<(), Error>;

    /// Gives money back. Idempotent per id; never more than was taken. Comes back once the provider has taken it on; one
    /// that is still `created` then goes on by itself.
    async fn refund(&self, refunding: Refunding) -> Result<Refund, Error>;

    /// A refund.
    async fn find_refund(&self, id: RefundId) -> Result<Refund, Error>;

    /// The refunds of a payment, oldest first.
    async fn refunds(&self, payment: PaymentId) -> Result<Vec<Refund>, Error>;

    /// What each store sold in these orders, as it stands in the ledger; orders whose sale is not there are left out.
    async fn posted_sales(&self, orders: &[Uuid]) -> Result<HashMap<Uuid, Vec<Share>>, Error>;

    /// Writes the sales of paid orders into the ledger, each order's once.
    async fn post_sales(&self, sales: &[Sale]) -> Result<(), Error>;

    /// These payments; those that are not there are left out.
    async fn payments(&self, ids: &[PaymentId]) -> Result<HashMap<PaymentId, Payment>, Error>;

    /// Payments that succeeded, each with the order it is for if that was kept, in the order of their ids, after `after`,
    /// at most `limit`.
    async fn succeeded(
        &self,
        after: Option<PaymentId>,
        limit: i64,
    ) -> Result<Vec<(PaymentId, Option<Uuid>)>, Error>;

    /// Carries on what came to grief, and asks about payments of which nothing is heard; returns how many went on.
    async fn carry_on(&self) -> Result<u64, Error>;

    /// Looks for broken invariants.
    async fn verify(&self) -> Result<Vec<Violation>, Error>;
}

/// The parts of this module's face.
#[derive(Clone)]
pub struct Faces {
    /// What orders asks.
    pub payments: Arc<dyn Payments>,
    /// What buyers keep to pay with.
    pub methods: Arc<dyn PaymentMethods>,
    /// The books.
    pub ledger: Arc<dyn Ledger>,
    /// What the marketplace takes of sales.
    pub commission: Arc<dyn Commission>,
    /// What providers tell unasked.
    pub inbox: Arc<dyn Inbox>,
    /// The sandbox, if it is the provider.
    pub sandbox: Option<Arc<dyn Sandbox>>,
    /// Stores' money on its way to them.
    pub payouts: Arc<dyn Payouts>,
    /// The providers' books against the ledger.
    pub reconciliation: Arc<dyn Reconciliation>,
}

/// The payments in this process.
///
/// # Errors
/// [`StripeSettingsError`]. Nobody is asked anything yet.
pub fn service(
    database: Database,
    sources: Sources,
    settings: Settings,
) -> Result<Faces, StripeSettingsError> {
    let (defaults, grace) = (settings.payouts, settings.reconciliation_grace);
    let (company, provider): (Option<Arc<Company>>, Arc<dyn Provider>) = match settings.provider {
        ProviderSettings::Sandbox { secret } => {
            let company = Company::new(database.clone(), sources.clone(), settings.public_url, secret);
            let company = Arc::new(company);
            (Some(Arc::clone(&company)), company)
        }
        ProviderSettings::Stripe(settings) => (None, Arc::new(Stripe::new(settings)?)),
    };
    let provider: Arc<dyn Provider> = Arc::new(Guard::new(provider, Patience::default(), sources.clone()));
    let charging = Charging { database: database.clone(), provider: Arc::clone(&provider) };
    let charges = Batch::open(charging, batch::Settings::named("payments.charge"));
    let ledger = Arc::new(ledger::Books(database.clone()));
    let rules = Arc::new(KnownRules::new(database.clone(), sources.clone()));
    let commission = commission::service(database.clone(), sources.clone(), Arc::clone(&rules));
    let effect = Arc::new(inbox::News(sources.clone()));
    let inbox = inbox::service(database.clone(), sources.clone(), vec![Arc::clone(&provider)], effect);
    let payouts = Arc::new(payout::Desk {
        database: database.clone(),
        sources: sources.clone(),
        provider: Arc::clone(&provider),
        defaults,
    });
    let reconciliation = Arc::new(reconciliation::Desk {
        database: database.clone(),
        sources: sources.clone(),
        providers: vec![Arc::clone(&provider)],
        grace,
    });
    let methods = Arc::new(method::Wallet {
        database: database.clone(),
        sources: sources.clone(),
        provider: Arc::clone(&provider),
    });
    let payments = Arc::new(Service { database, sources, provider, charges, rules, defaults });
    let sandbox = company.map(|company| company as Arc<dyn Sandbox>);
    Ok(Faces { payments, methods, ledger, commission, payouts, reconciliation, inbox, sandbox })
}

struct Service {
    database: Database,
    sources: Sources,
    provider: Arc<dyn Provider>,
    /// Where all whose money is asked for meet.
    charges: Batch<Charging>,
    rules: Arc<KnownRules>,
    /// How money goes to stores that have said nothing else.
    defaults: PayoutDefaults,
}

#[async_trait]
impl Payments for Service {
    async fn check(
        &self,
        wanted: &[(&PaymentMeans, Option<UserId>)],
    ) -> Result<Vec<Result<(), Error>>, Error> {
        Ok(method::check(&self.database, &*self.provider, wanted).await?)
    }

    async fn forget_methods(&self, owner: UserId) -> Result<(), Error> {
        Ok(method::remove_all(&self.database, owner, self.sources.now()).await?)
    }

    async fn commission_book(&self) -> Result<Arc<CommissionBook>, Error> {
        Ok(self.rules.book().await?)
    }

    async fn charge(&self, charge: Charge<'_>) -> Result<Payment, Error> {
        let Charge { id, order, amount, means, return_url } = charge;
        let (token, keep_for) = method::resolve(&self.database, means).await?;
        let asked = Asked {
            id,
            order,
            amount,
            token,
            keep_for,
            return_url: return_url.map(str::to_owned),
            at: self.sources.now(),
        };
        self.charges.call_in_turn(asked).await?
    }

    async fn open_page(&self, request: PageRequest) -> Result<Payment, Error> {
        payment::open(&self.database, &*self.provider, request, self.sources.now()).await
    }

    async fn look(&self, id: PaymentId) -> Result<Payment, Error> {
        payment::look(&self.database, &*self.provider, id, self.sources.now()).await
    }

    async fn void_open(&self, orders: &[Uuid]) -> Result<(), Error> {
        payment::void_open(&self.database, &*self.provider, orders, self.sources.now()).await
    }

    async fn give_back(&self, id: PaymentId) -> Result<(), Error> {
        refund::give_back(&self.database, &*self.provider, id, self.sources.now()).await
    }

    async fn refund(&self, refunding: Refunding) -> Result<Refund, Error> {
        refund::refund(&self.database, &*self.provider, &refunding, self.sources.now()).await
    }

    async fn find_refund(&self, id: RefundId) -> Result<Refund, Error> {
        refund::find(&self.database, id).await
    }

    async fn refunds(&self, payment: PaymentId) -> Result<Vec<Refund>, Error> {
        refund::of_order(&self.database, payment).await
    }

    async fn posted_sales(&self, orders: &[Uuid]) -> Result<HashMap<Uuid, Vec<Share>>, Error> {
        sale::posted(self.database.pool(), orders).await
    }

    async fn post_sales(&self, sales: &[Sale]) -> Result<(), Error> {
        sale::post(&self.database, &self.defaults, sales, self.sources.now()).await
    }

    async fn payments(&self, ids: &[PaymentId]) -> Result<HashMap<PaymentId, Payment>, Error> {
        payment::find(&self.database, ids).await
    }

    async fn succeeded(
        &self,
        after: Option<PaymentId>,
        limit: i64,
    ) -> Result<Vec<(PaymentId, Option<Uuid>)>, Error> {
        payment::succeeded(&self.database, after, limit).await
    }

    async fn carry_on(&self) -> Result<u64, Error> {
        let (provider, now) = (&*self.provider, self.sources.now());
        let refunds = refund::carry_on_due(&self.database, provider, now).await?;
        let silent_since = now - SILENCE;
        let asked = payment::ask_about_silent(&self.database, provider, silent_since, now).await?;
        let told = payment::ask_about_untold(&self.database, provider, silent_since, now).await?;
        let given_up = payment::give_up_unopened(&self.database, now).await?;
        let forgotten = method::forget_due(&self.database, provider, now).await?;
        let deleted = method::clean_up(&self.database, now).await?;
        Ok(refunds + asked + told + given_up + forgotten + deleted)
    }

    async fn verify(&self) -> Result<Vec<Violation>, Error> {
        let mut violations = verify::violations(&self.database).await?;
        violations.extend(ledger::violations(&self.database, None).await?);
        violations.extend(payout::violations(&self.database).await?);
        violations.extend(reserve::violations(&self.database).await?);
        violations.extend(reconciliation::violations(&self.database).await?);
        Ok(violations)
    }
}
