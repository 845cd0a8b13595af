//! Events made on demand.

use std::fmt;
use std::str::FromStr;

use identity::StoreId;
use platform::Money;

use super::intent::{self, Ending};
use super::standing::{self, State};
use super::{Company, Control, Error, account, dispute, payout, refund};
use crate::{DeclineCode, PaymentId, PayoutId, RefundId};

/// What is to happen at the sandbox. What has happened already is told once more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// A payment that is not settled succeeds.
    PaymentSucceeded,
    /// A payment that is not settled is declined.
    PaymentDeclined,
    /// A payment that waits for its buyer is under way, and succeeds later.
    PaymentProcessing,
    /// A payment that is not settled is called off.
    PaymentVoided,
    /// A refund is through; or, given a payment, one is made here, of which Souk does not know.
    RefundSucceeded,
    /// A refund comes back.
    RefundFailed,
    /// A buyer disputes a payment.
    DisputeCreated,
    /// The latest dispute over a payment is decided for the store.
    DisputeWon,
    /// The latest dispute over a payment is decided for the buyer.
    DisputeLost,
    /// A payout arrives.
    PayoutPaid,
    /// A payout fails on its way.
    PayoutFailed,
    /// A payout that had arrived comes back.
    PayoutReturned,
    /// An account is active, or restricted.
    AccountUpdated,
}

impl Trigger {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::PaymentSucceeded,
        Self::PaymentDeclined,
        Self::PaymentProcessing,
        Self::PaymentVoided,
        Self::RefundSucceeded,
        Self::RefundFailed,
        Self::DisputeCreated,
        Self::DisputeWon,
        Self::DisputeLost,
        Self::PayoutPaid,
        Self::PayoutFailed,
        Self::PayoutReturned,
        Self::AccountUpdated,
    ];

    /// Its name, as that of the event.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PaymentSucceeded => "payment.succeeded",
            Self::PaymentDeclined => "payment.declined",
            Self::PaymentProcessing => "payment.processing",
            Self::PaymentVoided => "payment.voided",
            Self::RefundSucceeded => "refund.succeeded",
            Self::RefundFailed => "refund.failed",
            Self::DisputeCreated => "dispute.created",
            Self::DisputeWon => "dispute.won",
            Self::DisputeLost => "dispute.lost",
            Self::PayoutPaid => "payout.paid",
            Self::PayoutFailed => "payout.failed",
            Self::PayoutReturned => "payout.returned",
            Self::AccountUpdated => "account.updated",
        }
    }
}

impl fmt::Display for Trigger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// No event has this name.
#[derive(Debug, thiserror::Error)]
#[error("there is no event {0:?}")]
pub struct NoEvent(String);

impl FromStr for Trigger {
    type Err = NoEvent;
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|event| event.as_str() == name).ok_or_else(|| NoEvent(name.to_owned()))
    }
}

/// To what it is to happen.
#[derive(Clone, Debug, Default)]
pub struct Target {
    /// A payment.
    pub payment: Option<PaymentId>,
    /// A refund.
    pub refund: Option<RefundId>,
    /// A payout: its latest try.
    pub payout: Option<PayoutId>,
    /// The account of a store.
    pub store: Option<StoreId>,
    /// How much of a payment goes back or is disputed, in minor units of its currency; all that is left without it.
    pub amount: Option<i64>,
    /// Whether the account is restricted, instead of active; none leaves it as it is.
    pub restricted: Option<bool>,
}

impl Target {
    fn payment(&self) -> Result<String, Error> {
        let id = self.payment.ok_or(Error::Invalid("say which payment"))?;
        Ok(id.to_string())
    }
}

/// Makes it happen; what is to be said of it.
pub(super) async fn pull(company: &Company, event: Trigger, target: &Target) -> Result<String, Error> {
    let control = company.control().await?;
    let mut tx = company.database.begin().await?;
    let said = match event {
        Trigger::PaymentSucceeded
        | Trigger::PaymentDeclined
        | Trigger::PaymentProcessing
        | Trigger::PaymentVoided => payment(&mut tx, company, &control, event, &target.payment()?).await?,
        Trigger::RefundSucceeded if target.refund.is_none() => {
            refund_here(&mut tx, company, &control, target).await?
        }
        Trigger::RefundSucceeded | Trigger::RefundFailed => {
            let key = target.refund.ok_or(Error::Invalid("say which refund"))?.to_string();
            let moved = match event {
                Trigger::RefundSucceeded => refund::arrive(&mut tx, company, &control, &key).await?,
                _ => refund::fail(&mut tx, company, &control, &key).await?,
            };
            match moved {
                None => return Err(Error::Unknown("refund")),
                Some(false) if event == Trigger::RefundFailed => {
                    refund::tell(&mut tx, company, &control, &key).await?;
                }
                Some(false) => return Err(Error::State("the refund has failed".to_owned())),
                Some(true) => {}
            }
            format!("refund {key}")
        }
        Trigger::DisputeCreated => dispute_payment(&mut tx, company, &control, target).await?,
        Trigger::DisputeWon | Trigger::DisputeLost => {
            let won = event == Trigger::DisputeWon;
            let found = dispute::of_charge(&mut tx, &target.payment()?).await?;
            let reference = found.ok_or(Error::Unknown("dispute"))?;
            if dispute::decide(&mut tx, company, &control, &reference, won).await? == Some(false) {
                dispute::tell(&mut tx, company, &control, &reference).await?;
            }
            format!("dispute {reference}")
        }
        Trigger::PayoutPaid | Trigger::PayoutFailed | Trigger::PayoutReturned => {
            let id = target.payout.ok_or(Error::Invalid("say which payout"))?;
            let key = payout::latest(&mut tx, id.uuid()).await?.ok_or(Error::Unknown("payout"))?;
            let moved = match event {
                Trigger::PayoutPaid => payout::arrive(&mut tx, company, &control, &key).await?,
                Trigger::PayoutFailed => payout::fail(&mut tx, company, &control, &key).await?,
                _ => payout::come_back(&mut tx, company, &control, &key).await?,
            };
            if moved != Some(true) {
                return Err(Error::State(format!("{event} does not fit how the payout stands")));
            }
            format!("payout {id}")
        }
        Trigger::AccountUpdated => {
            let store = target.store.ok_or(Error::Invalid("say of which store"))?;
            let found = account::of_store(&mut tx, store).await?.ok_or(Error::Unknown("account"))?;
            let active = target.restricted.map(|restricted| !restricted);
            account::set(&mut tx, company, &control, &found, active).await?;
            format!("account {found}")
        }
    };
    tx.commit(company.sources.now()).await?;
    Ok(format!("{event}: {said}"))
}

async fn payment(
    tx: &mut platform::Tx,
    company: &Company,
    control: &Control,
    event: Trigger,
    key: &str,
) -> Result<String, Error> {
    let wanted = match event {
        Trigger::PaymentSucceeded => State::Succeeded,
        Trigger::PaymentDeclined => State::Declined,
        Trigger::PaymentProcessing => State::Processing,
        _ => State::Voided,
    };
    let found = standing::find(company, &[key.to_owned()]).await?.pop().ok_or(Error::Unknown("payment"))?;
    let said = format!("payment {key}, {}", found.amount);
    let Some(mut intent) = intent::lock(tx, key).await?.filter(|intent| intent.standing.state != wanted)
    else {
        if found.state != wanted {
            return Err(Error::State(format!("the payment is {}", found.state.as_str())));
        }
        intent::tell(tx, company, control, &found).await?;
        return Ok(said);
    };
    let state = intent.standing.state;
    let moved = match wanted {
        State::Succeeded => {
            let all = Ending::Taken(intent.standing.amount.amount);
            intent::end(tx, company, control, &mut intent, all).await?
        }
        State::Declined => {
            let declined = Ending::Declined(DeclineCode::CardDeclined);
            intent::end(tx, company, control, &mut intent, declined).await?
        }
        State::Processing if state == State::RequiresAction => {
            intent::give(tx, company, control, &mut intent, super::token::Behaviour::Processes).await?;
            intent::tell(tx, company, control, &intent.standing).await?;
            true
        }
        State::Processing => false,
        _ => intent::end(tx, company, control, &mut intent, Ending::Voided).await?,
    };
    if moved { Ok(said) } else { Err(Error::State(format!("the payment is {}", state.as_str()))) }
}

/// A refund that somebody makes at the sandbox itself.
async fn refund_here(
    tx: &mut platform::Tx,
    company: &Company,
    control: &Control,
    target: &Target,
) -> Result<String, Error> {
    let charge = target.payment()?;
    let left = refund::left(tx, &charge).await?.ok_or(Error::Unknown("payment"))?;
    let amount = target.amount.map(|amount| Money::new(amount, left.amount.currency));
    let key = company.name("made_here");
    let draft = refund::Draft { key: key.clone(), reference: company.name("re"), charge: &charge, amount };
    let said = refund::make(tx, company, control, draft).await?;
    refund::tell(tx, company, control, &key).await?;
    Ok(format!("refund {} of {}", said.reference, amount.unwrap_or(left.amount)))
}

async fn dispute_payment(
    tx: &mut platform::Tx,
    company: &Company,
    control: &Control,
    target: &Target,
) -> Result<String, Error> {
    let charge = target.payment()?;
    let left = refund::left(tx, &charge).await?.ok_or(Error::Unknown("payment"))?;
    let amount = Money::new(target.amount.unwrap_or(left.amount.amount), left.amount.currency);
    if left.state != State::Succeeded || amount.amount <= 0 || amount.amount > left.amount.amount {
        return Err(Error::State(format!("{} of the payment is left to be disputed", left.amount)));
    }
    let reference = dispute::open(tx, company, control, &charge, &left, amount).await?;
    Ok(format!("dispute {reference} of {amount}"))
}
