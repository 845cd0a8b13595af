//! The hash chain: each transaction's hash covers the one before it, so that a change anywhere shows from there on.

use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use uuid::Uuid;

/// What is hashed of a transaction.
pub(super) struct Link<'a> {
    pub(super) seq: i64,
    pub(super) kind: &'a str,
    pub(super) reference: Uuid,
    pub(super) payment: Option<Uuid>,
    pub(super) currency: &'a str,
    pub(super) memo: Option<&'a str>,
    pub(super) occurred_at: OffsetDateTime,
    pub(super) posted_at: OffsetDateTime,
}

/// What is hashed of an entry; its place is that in the list.
pub(super) struct LinkEntry<'a> {
    pub(super) account: &'a str,
    pub(super) owner: &'a str,
    pub(super) rule: &'a str,
    pub(super) amount: i64,
}

/// A SHA-256 hash.
pub(super) type Hash = [u8; 32];

/// The hash of a transaction: SHA-256 over the hash before it, its fields and those of its entries, each with its length
/// before it, so that no two different transactions are the same bytes.
pub(super) fn hash<'a>(
    before: &[u8],
    link: &Link<'_>,
    entries: impl ExactSizeIterator<Item = LinkEntry<'a>>,
) -> Hash {
    let mut hash = Sha256::new();
    let mut field = |bytes: &[u8]| {
        hash.update(u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(bytes);
    };
    field(before);
    field(&link.seq.to_be_bytes());
    field(link.kind.as_bytes());
    field(link.reference.as_bytes());
    field(link.payment.as_ref().map_or(&[], |payment| payment.as_bytes()));
    field(link.currency.as_bytes());
    field(link.memo.unwrap_or_default().as_bytes());
    field(&micros(link.occurred_at));
    field(&micros(link.posted_at));
    field(&u64::try_from(entries.len()).unwrap_or(u64::MAX).to_be_bytes());
    for entry in entries {
        field(entry.account.as_bytes());
        field(entry.owner.as_bytes());
        field(entry.rule.as_bytes());
        field(&entry.amount.to_be_bytes());
    }
    hash.finalize().into()
}

/// Microseconds since 1970: what PostgreSQL keeps of a time.
fn micros(at: OffsetDateTime) -> [u8; 16] {
    (at.unix_timestamp_nanos() / 1_000).to_be_bytes()
}
