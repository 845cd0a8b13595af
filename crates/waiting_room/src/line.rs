//! The arithmetic of a line: whose turn it is, and when.

use platform::Id;
use time::{Duration, OffsetDateTime};

use crate::LineId;

/// One admission, in the unit of credit.
const ONE: i64 = 1_000_000;
/// Credit gathers for so long while nobody waits; so many may be let in at once.
const BURST: Duration = Duration::SECOND;

/// How far a line has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    /// The last number that was given out.
    pub(crate) issued: i64,
    /// The last number that was let in.
    pub(crate) admitted: i64,
    /// The last number whose time is known to be over.
    pub(crate) lapsed: i64,
}

impl Progress {
    /// The later of the two, in each respect: none of them ever goes back.
    pub(crate) fn max(self, other: Self) -> Self {
        Self {
            issued: self.issued.max(other.issued),
            admitted: self.admitted.max(other.admitted),
            lapsed: self.lapsed.max(other.lapsed),
        }
    }
}

/// A line whose row is locked.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) id: LineId,
    pub(crate) progress: Progress,
    /// Millionths of an admission that are left to be given, counted up to `counted_at`.
    pub(crate) credit: i64,
    pub(crate) counted_at: OffsetDateTime,
    pub(crate) rate: i32,
    pub(crate) window: Duration,
    pub(crate) opens_at: Option<OffsetDateTime>,
}

/// The row of a line together with what its room says.
pub(crate) struct LineRow {
    pub(crate) id: Id<crate::LineMark>,
    pub(crate) issued: i64,
    pub(crate) admitted: i64,
    pub(crate) lapsed: i64,
    pub(crate) credit: i64,
    pub(crate) counted_at: OffsetDateTime,
    pub(crate) rate: i32,
    pub(crate) window_seconds: i32,
    pub(crate) opens_at: Option<OffsetDateTime>,
}

impl From<LineRow> for Line {
    fn from(row: LineRow) -> Self {
        Self {
            id: row.id,
            progress: Progress { issued: row.issued, admitted: row.admitted, lapsed: row.lapsed },
            credit: row.credit,
            counted_at: row.counted_at,
            rate: row.rate,
            window: Duration::seconds(row.window_seconds.into()),
            opens_at: row.opens_at,
        }
    }
}

impl Line {
    /// Gives out the next number.
    pub(crate) fn next(&mut self) -> i64 {
        self.progress.issued += 1;
        self.progress.issued
    }

    /// Lets in whose turn it is by now; returns how many.
    pub(crate) fn advance(&mut self, now: OffsetDateTime) -> i64 {
        if self.opens_at.is_some_and(|opens_at| now < opens_at) {
            return 0;
        }
        let rate = i64::from(self.rate);
        // Nodes' clocks differ a little: time that was counted once is not counted again.
        if now > self.counted_at {
            let elapsed = (now - self.counted_at).min(BURST).whole_microseconds();
            let elapsed = i64::try_from(elapsed).unwrap_or(0);
            self.credit = (self.credit + elapsed * rate).min(rate * ONE);
            self.counted_at = now;
        }
        let waiting = self.progress.issued - self.progress.admitted;
        let admitted = waiting.min(self.credit / ONE);
        self.progress.admitted += admitted;
        self.credit -= admitted * ONE;
        admitted
    }

    /// When the time of somebody who was let in then is over.
    pub(crate) fn until(&self, admitted_at: OffsetDateTime) -> OffsetDateTime {
        admitted_at + self.window
    }
}

/// After how many seconds `position` people have been let in, from an opening that may be to come.
pub(crate) fn estimate(
    position: i64,
    rate: i32,
    opens_at: Option<OffsetDateTime>,
    now: OffsetDateTime,
) -> i64 {
    let closed = opens_at.map_or(0, |opens_at| (opens_at - now).whole_seconds().max(0));
    // Rounded up: nobody should have to wait longer than told.
    closed + (position + i64::from(rate) - 1) / i64::from(rate)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use time::macros::datetime;

    const START: OffsetDateTime = datetime!(2026-06-01 12:00 UTC);

    fn line(rate: i32, issued: i64) -> Line {
        Line {
            id: Id::new(START, &[1; 10]),
            progress: Progress { issued, ..Progress::default() },
            credit: i64::from(rate) * ONE,
            counted_at: START,
            rate,
            window: Duration::minutes(10),
            opens_at: None,
        }
    }

    #[test]
    fn lets_in_by_the_rate() {
        let mut line = line(50, 1_000);
        assert_eq!(line.advance(START), 50, "a second's worth at once");
        assert_eq!(line.advance(START), 0);
        assert_eq!(line.advance(START + Duration::milliseconds(200)), 10);
        assert_eq!(line.advance(START + Duration::milliseconds(210)), 0);
        assert_eq!(line.advance(START + Duration::milliseconds(220)), 1, "half admissions are not lost");
        assert_eq!(line.advance(START), 0, "a clock that goes back gives nothing");
        assert_eq!(
            line.advance(START + Duration::hours(1)),
            50,
            "nor does a pause of the job more than a second's"
        );
    }

    #[test]
    fn nobody_is_let_in_before_it_opens() {
        let mut line = line(5, 100);
        line.opens_at = Some(START + Duration::minutes(1));
        assert_eq!(line.advance(START + Duration::seconds(59)), 0);
        assert_eq!(line.advance(START + Duration::minutes(1)), 5);
    }

    #[test]
    fn below_the_rate_nobody_waits() {
        let mut line = line(10, 0);
        for second in 0..100 {
            for _ in 0..10 {
                line.next();
            }
            assert_eq!(line.advance(START + Duration::seconds(second)), 10);
        }
    }

    #[test]
    fn estimates_round_up() {
        assert_eq!(estimate(1, 50, None, START), 1);
        assert_eq!(estimate(50, 50, None, START), 1);
        assert_eq!(estimate(51, 50, None, START), 2);
        assert_eq!(estimate(51, 50, Some(START + Duration::minutes(1)), START), 62);
        assert_eq!(estimate(51, 50, Some(START - Duration::minutes(1)), START), 2);
    }

    proptest! {
        /// However joins and rounds fall, and even if a clock jumps, the rate holds and nobody is let in out of turn.
        #[test]
        fn the_rate_holds(rate in 1..200_i32, steps in prop::collection::vec((0..300_i64, -50..2_000_i64), 1..60)) {
            let mut line = line(rate, 0);
            let (mut now, mut latest, mut admitted) = (START, START, 0);
            for (joins, millis) in steps {
                (0..joins).for_each(|_| { line.next(); });
                now += Duration::milliseconds(millis);
                latest = latest.max(now);
                admitted += line.advance(now);
                prop_assert_eq!(line.progress.admitted, admitted);
                prop_assert!(line.progress.admitted <= line.progress.issued);
                let allowed = i64::from(rate) + i64::from(rate) * i64::try_from((latest - START).whole_milliseconds()).unwrap() / 1_000;
                prop_assert!(admitted <= allowed, "{} of {}", admitted, allowed);
            }
        }
    }
}
