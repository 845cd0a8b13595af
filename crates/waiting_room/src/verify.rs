//! The invariants that no constraint holds.

use platform::{Database, Violation};

use crate::Error;

pub(crate) async fn violations(database: &Database) -> Result<Vec<Violation>, Error> {
    let mut violations = Vec::new();
    let lines = sqlx::query!(
        r#"SELECT l.id, l.issued, l.admitted, l.lapsed, coalesce(p.highest, 0) AS "highest!",
                  coalesce(w.up_to, l.lapsed) AS "up_to!"
           FROM waiting_room.lines l
           LEFT JOIN (SELECT line_id, max(number) AS highest FROM waiting_room.places GROUP BY 1) p ON p.line_id = l.id
           LEFT JOIN (SELECT line_id, max(up_to) AS up_to FROM waiting_room.waves GROUP BY 1) w ON w.line_id = l.id
           WHERE coalesce(p.highest, 0) > l.issued OR coalesce(w.up_to, l.lapsed) <> l.admitted
           ORDER BY l.id"#
    )
    .fetch_all(database.lists())
    .await?;
    for line in lines {
        let (issued, admitted) = (line.issued, line.admitted);
        if line.highest > issued {
            let message = format!("number {} has a buyer, but only {issued} were given out", line.highest);
            violations.push(Violation::new("waiting_room/numbers_were_issued", line.id, message));
        }
        if line.up_to != admitted {
            let message =
                format!("{admitted} were let in, but it is written down when for those up to {}", line.up_to);
            violations.push(Violation::new("waiting_room/admissions_have_a_time", line.id, message));
        }
    }
    Ok(violations)
}
