//! The door: who may buy what now.

use catalog::ProductId;
use identity::Actor;
use platform::id::uuids;

use crate::buyer::Buyer;
use crate::error::Refusal;
use crate::line::Progress;
use crate::place::{Standing, Status};
use crate::rooms::Entry;
use crate::{Error, LineId, Parts};

pub(crate) async fn check(parts: &Parts, actor: &Actor, products: &[ProductId]) -> Result<(), Error> {
    let rooms = parts.rooms.all().await?;
    if rooms.is_empty() || actor.is_system() {
        return Ok(());
    }
    let guarded: Vec<(ProductId, Entry)> =
        products.iter().filter_map(|product| Some((*product, *rooms.get(product)?))).collect();
    if guarded.is_empty() {
        return Ok(());
    }
    let refused = match Buyer::of(actor) {
        Ok(buyer) => refused(parts, &buyer, &guarded).await?,
        // Programs have no places, nor has somebody without a basket.
        Err(_) => guarded.iter().map(|(product, _)| (*product, Refusal::NoPlace)).collect(),
    };
    if refused.is_empty() { Ok(()) } else { Err(Error::Refused(refused)) }
}

/// The products that this buyer may not buy now. Read from the books, not from the board.
async fn refused(
    parts: &Parts,
    buyer: &Buyer,
    guarded: &[(ProductId, Entry)],
) -> Result<Vec<(ProductId, Refusal)>, Error> {
    let lines: Vec<LineId> = guarded.iter().map(|(_, room)| room.line).collect();
    let rows = sqlx::query!(
        r#"SELECT l.id AS "line: LineId", l.issued, l.admitted, l.lapsed, p.number,
                  (SELECT w.at FROM waiting_room.waves w WHERE w.line_id = p.line_id AND w.up_to >= p.number
                   ORDER BY w.up_to LIMIT 1) AS admitted_at
           FROM waiting_room.places p JOIN waiting_room.lines l ON l.id = p.line_id
           WHERE p.line_id = ANY($1) AND p.buyer = $2"#,
        &uuids(&lines),
        buyer.as_bytes(),
    )
    .fetch_all(parts.database.pool())
    .await?;
    let now = parts.sources.now();
    let refusal = |room: &Entry| {
        let Some(row) = rows.iter().find(|row| row.line == room.line) else { return Some(Refusal::NoPlace) };
        let progress = Progress { issued: row.issued, admitted: row.admitted, lapsed: row.lapsed };
        // A wave is there for every number above the line's `lapsed`; only waiting numbers have none.
        let admitted_at = row.admitted_at.filter(|_| row.number <= row.admitted);
        let standing = Standing::of(row.number, room, progress, admitted_at, now);
        match standing.status {
            Status::Waiting => Some(Refusal::NotYet { seconds: standing.estimated_wait_seconds }),
            Status::Admitted => None,
            Status::Lapsed => Some(Refusal::Lapsed),
        }
    };
    Ok(guarded.iter().filter_map(|(product, room)| Some((*product, refusal(room)?))).collect())
}
