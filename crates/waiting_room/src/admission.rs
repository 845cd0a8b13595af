//! Admission: letting in whose turn it is.

use platform::Tx;
use platform::id::uuids;
use time::OffsetDateTime;

use crate::line::{Line, LineRow};
use crate::{Error, LineId, Parts};

/// Lets in whose turn it is in all lines in which somebody waits. What another node works at is its business.
pub(crate) async fn admit(parts: &Parts) -> Result<u64, Error> {
    if parts.rooms.all().await?.is_empty() {
        return Ok(0);
    }
    let now = parts.sources.now();
    let mut tx = parts.database.begin().await?;
    let rows = sqlx::query_as!(
        LineRow,
        r#"SELECT l.id AS "id: LineId", l.issued, l.admitted, l.lapsed, l.credit, l.counted_at,
                  r.admissions_per_second AS rate, r.window_seconds, r.opens_at
           FROM waiting_room.lines l JOIN waiting_room.rooms r ON r.line_id = l.id
           WHERE r.enabled AND l.issued > l.admitted ORDER BY l.id FOR UPDATE OF l SKIP LOCKED"#
    )
    .fetch_all(&mut *tx)
    .await?;
    if rows.is_empty() {
        return Ok(0);
    }
    let mut lines: Vec<Line> = rows.into_iter().map(Line::from).collect();
    let admitted = advance(&mut tx, &mut lines.iter_mut().collect::<Vec<_>>(), now).await?;
    tx.commit(now).await?;
    for line in &lines {
        parts.board.note(line.id, line.progress);
    }
    Ok(admitted)
}

/// Brings locked lines up to `now` and writes them; returns how many were let in.
pub(crate) async fn advance(
    tx: &mut Tx,
    lines: &mut [&mut Line],
    now: OffsetDateTime,
) -> Result<u64, sqlx::Error> {
    let mut waves: Vec<(LineId, i64)> = Vec::new();
    let mut admitted = 0;
    for line in lines.iter_mut() {
        let let_in = line.advance(now);
        if let_in > 0 {
            waves.push((line.id, line.progress.admitted));
            admitted += let_in.unsigned_abs();
        }
    }
    let ids: Vec<LineId> = lines.iter().map(|line| line.id).collect();
    sqlx::query!(
        "UPDATE waiting_room.lines l SET issued = new.issued, admitted = new.admitted, credit = new.credit,
             counted_at = new.counted_at
         FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::bigint[], $5::timestamptz[])
              AS new (id, issued, admitted, credit, counted_at)
         WHERE l.id = new.id",
        &uuids(&ids),
        &lines.iter().map(|line| line.progress.issued).collect::<Vec<_>>(),
        &lines.iter().map(|line| line.progress.admitted).collect::<Vec<_>>(),
        &lines.iter().map(|line| line.credit).collect::<Vec<_>>(),
        &lines.iter().map(|line| line.counted_at).collect::<Vec<_>>(),
    )
    .execute(&mut **tx)
    .await?;
    if !waves.is_empty() {
        let (ids, up_to): (Vec<LineId>, Vec<i64>) = waves.into_iter().unzip();
        sqlx::query!(
            "INSERT INTO waiting_room.waves (line_id, up_to, at)
             SELECT wave.*, $3 FROM unnest($1::uuid[], $2::bigint[]) AS wave",
            &uuids(&ids),
            &up_to,
            now,
        )
        .execute(&mut **tx)
        .await?;
        metrics::counter!("souk_waiting_room_admitted_total").increment(admitted);
    }
    Ok(admitted)
}
