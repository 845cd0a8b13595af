//! What the sandbox does later, by its own clock.

use sqlx::PgConnection;
use time::{Duration, OffsetDateTime};

use super::{Company, Control, dispute, intent, payout, refund};

/// How long a payment is under way.
pub(super) const PROCESSING: Duration = Duration::seconds(10);
/// When a charge is disputed that is to be.
pub(super) const DISPUTED: Duration = Duration::seconds(10);
/// How long a dispute waits for an answer. One that gets none is lost.
pub(super) const ANSWER: Duration = Duration::days(7);
/// How long an authorization is good.
pub(super) const AUTHORIZED: Duration = Duration::days(7);
/// How long a challenge waits for the buyer of a charge.
pub(super) const CHALLENGED: Duration = Duration::hours(1);
/// When a refund is through, or comes back.
pub(super) const REFUND: Duration = Duration::seconds(10);
/// When a payout arrives.
pub(super) const PAYOUT: Duration = Duration::days(1);

/// Something to be done later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Task {
    /// A payment that is under way succeeds.
    Succeed,
    /// What the buyer did not finish, or nobody captured, is over.
    Expire,
    /// A charge is disputed.
    Dispute,
    /// A dispute that nobody answered is lost.
    LoseDispute,
    /// A refund is through.
    Refund,
    /// A refund comes back.
    FailRefund,
    /// A payout arrives.
    PayOut,
    /// A payout fails on its way.
    FailPayout,
}

impl Task {
    const ALL: [Self; 8] = [
        Self::Succeed,
        Self::Expire,
        Self::Dispute,
        Self::LoseDispute,
        Self::Refund,
        Self::FailRefund,
        Self::PayOut,
        Self::FailPayout,
    ];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Succeed => "succeed",
            Self::Expire => "expire",
            Self::Dispute => "dispute",
            Self::LoseDispute => "lose_dispute",
            Self::Refund => "refund",
            Self::FailRefund => "fail_refund",
            Self::PayOut => "pay_out",
            Self::FailPayout => "fail_payout",
        }
    }
}

/// Notes what is to be done with a charge, a refund or the like.
pub(super) async fn later(
    tx: &mut PgConnection,
    task: Task,
    subject: &str,
    due: OffsetDateTime,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "INSERT INTO payments.sandbox_tasks (due_at, kind, subject) VALUES ($1, $2, $3)",
        due,
        task.as_str(),
        subject,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Does the next thing that is due; whether there was one. What no longer fits, since something else happened in between,
/// is left undone.
pub(super) async fn next(company: &Company, control: &Control) -> Result<bool, sqlx::Error> {
    let mut tx = company.database.begin().await?;
    let due = sqlx::query!(
        "DELETE FROM payments.sandbox_tasks WHERE id = (
             SELECT id FROM payments.sandbox_tasks WHERE due_at <= $1
             ORDER BY due_at, id LIMIT 1 FOR UPDATE SKIP LOCKED)
         RETURNING kind, subject",
        company.now(control),
    )
    .fetch_optional(&mut *tx)
    .await?;
    let Some(due) = due else { return Ok(false) };
    match Task::ALL.into_iter().find(|task| task.as_str() == due.kind) {
        Some(Task::Succeed) => intent::finish(&mut tx, company, control, &due.subject).await?,
        Some(Task::Expire) => intent::expire(&mut tx, company, control, &due.subject).await?,
        Some(Task::Dispute) => dispute::open_due(&mut tx, company, control, &due.subject).await?,
        Some(Task::LoseDispute) => {
            dispute::decide(&mut tx, company, control, &due.subject, false).await.map(drop)?;
        }
        Some(Task::Refund) => refund::arrive(&mut tx, company, control, &due.subject).await.map(drop)?,
        Some(Task::FailRefund) => refund::fail(&mut tx, company, control, &due.subject).await.map(drop)?,
        Some(Task::PayOut) => payout::arrive(&mut tx, company, control, &due.subject).await.map(drop)?,
        Some(Task::FailPayout) => payout::fail(&mut tx, company, control, &due.subject).await.map(drop)?,
        None => {
            tracing::warn!(kind = due.kind, "the sandbox was to do something that it can not");
        }
    }
    tx.commit(company.sources.now()).await?;
    Ok(true)
}
