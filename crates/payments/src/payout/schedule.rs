//! When a store's money is sent.

use std::str::FromStr;

use serde::{Deserialize, Serialize};
use time::{Date, Duration, OffsetDateTime};
use utoipa::ToSchema;

/// A day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Weekday {
    /// The first day, by ISO 8601.
    Monday,
    /// The second.
    Tuesday,
    /// The third.
    Wednesday,
    /// The fourth.
    Thursday,
    /// The fifth.
    Friday,
    /// The sixth.
    Saturday,
    /// The last.
    Sunday,
}

impl Weekday {
    const ALL: [(Self, &'static str); 7] = [
        (Self::Monday, "monday"),
        (Self::Tuesday, "tuesday"),
        (Self::Wednesday, "wednesday"),
        (Self::Thursday, "thursday"),
        (Self::Friday, "friday"),
        (Self::Saturday, "saturday"),
        (Self::Sunday, "sunday"),
    ];

    /// Its number, from 1.
    const fn number(self) -> u8 {
        self as u8 + 1
    }
}

/// When a store's money is sent: at the first moment of the day, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "interval", rename_all = "snake_case", deny_unknown_fields)]
#[schema(as = PayoutSchedule)]
pub enum Schedule {
    /// When somebody of the marketplace says so.
    Manual,
    /// Every day.
    Daily,
    /// Every week.
    Weekly {
        /// On this day.
        weekday: Weekday,
    },
    /// Every month.
    Monthly {
        /// On this day of it: 1 to 28, so that every month has it.
        #[schema(minimum = 1, maximum = 28, example = 1)]
        day: u8,
    },
}

impl Schedule {
    /// The last day of a month that every month has.
    pub(super) const LAST_DAY: u8 = 28;

    /// The latest moment of it that is not after `now`; none if it has no moments.
    pub fn latest(self, now: OffsetDateTime) -> Option<OffsetDateTime> {
        let today = now.to_offset(time::UtcOffset::UTC).date();
        let day = match self {
            Self::Manual => return None,
            Self::Daily => today,
            Self::Weekly { weekday } => {
                let since = (7 + today.weekday().number_from_monday() - weekday.number()) % 7;
                today - Duration::days(i64::from(since))
            }
            Self::Monthly { day } => {
                let day = day.clamp(1, Self::LAST_DAY);
                let this = today.replace_day(day).unwrap_or(today);
                if this <= today { this } else { month_before(today, day) }
            }
        };
        Some(day.midnight().assume_utc())
    }

    /// Whether a moment of it has come since the last turn.
    pub(super) fn is_due(self, last: OffsetDateTime, now: OffsetDateTime) -> bool {
        self.latest(now).is_some_and(|latest| latest > last)
    }

    /// As a row has it: the interval, and the day of it.
    pub(super) fn to_stored(self) -> (&'static str, Option<i16>) {
        match self {
            Self::Manual => ("manual", None),
            Self::Daily => ("daily", None),
            Self::Weekly { weekday } => ("weekly", Some(weekday.number().into())),
            Self::Monthly { day } => ("monthly", Some(day.into())),
        }
    }

    pub(super) fn stored(interval: &str, day: Option<i16>) -> Result<Self, sqlx::Error> {
        let place = usize::try_from(day.unwrap_or(1)).unwrap_or(0);
        match interval {
            "manual" => Some(Self::Manual),
            "daily" => Some(Self::Daily),
            "weekly" => {
                Weekday::ALL.get(place.wrapping_sub(1)).map(|(weekday, _)| Self::Weekly { weekday: *weekday })
            }
            "monthly" => u8::try_from(place).ok().map(|day| Self::Monthly { day }),
            _ => None,
        }
        .ok_or_else(|| sqlx::Error::Decode(format!("{interval:?} is no schedule of payouts").into()))
    }
}

/// This day of the month before that of `date`.
fn month_before(date: Date, day: u8) -> Date {
    let before = date.replace_day(1).unwrap_or(date) - Duration::DAY;
    before.replace_day(day).unwrap_or(before)
}

/// The text names no schedule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no schedule of payouts: write manual, daily, weekly monday or monthly 1 (to 28)")]
pub struct UnknownSchedule(String);

/// `manual`, `daily`, `weekly monday`, `monthly 1`.
impl FromStr for Schedule {
    type Err = UnknownSchedule;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let weekday = |name: &str| Weekday::ALL.into_iter().find(|(_, of)| *of == name).map(|(day, _)| day);
        let found = match text.split_once(' ') {
            None if text == "manual" => Some(Self::Manual),
            None if text == "daily" => Some(Self::Daily),
            Some(("weekly", day)) => weekday(day).map(|weekday| Self::Weekly { weekday }),
            Some(("monthly", day)) => {
                let day = day.parse().ok().filter(|day| (1..=Self::LAST_DAY).contains(day));
                day.map(|day| Self::Monthly { day })
            }
            _ => None,
        };
        found.ok_or_else(|| UnknownSchedule(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn finds_the_latest_moment() {
        let wednesday = datetime!(2026-03-04 15:30 UTC);
        let cases = [
            ("daily", datetime!(2026-03-04 00:00 UTC)),
            ("weekly wednesday", datetime!(2026-03-04 00:00 UTC)),
            ("weekly monday", datetime!(2026-03-02 00:00 UTC)),
            ("weekly thursday", datetime!(2026-02-26 00:00 UTC)),
            ("monthly 4", datetime!(2026-03-04 00:00 UTC)),
            ("monthly 28", datetime!(2026-02-28 00:00 UTC)),
        ];
        for (schedule, latest) in cases {
            let schedule: Schedule = schedule.parse().unwrap();
            assert_eq!(schedule.latest(wednesday), Some(latest), "{schedule:?}");
            assert_eq!(schedule.latest(latest), Some(latest), "the first moment of the day is it");
        }
        assert_eq!(Schedule::Manual.latest(wednesday), None);
        let january: Schedule = "monthly 15".parse().unwrap();
        assert_eq!(
            january.latest(datetime!(2026-01-01 00:00 UTC)),
            Some(datetime!(2025-12-15 00:00 UTC)),
            "over the end of a year"
        );
    }

    /// Looked at each hour of some years, each moment comes once.
    #[test]
    fn each_moment_comes_once() {
        for (schedule, moments) in [("daily", 1096), ("weekly sunday", 157), ("monthly 28", 36)] {
            let schedule: Schedule = schedule.parse().unwrap();
            let (mut now, mut last, mut turns) =
                (datetime!(2026-01-01 00:30 UTC), datetime!(2026-01-01 00:10 UTC), 0);
            while now < datetime!(2029-01-01 00:00 UTC) {
                now += Duration::HOUR;
                if schedule.is_due(last, now) {
                    (last, turns) = (now, turns + 1);
                }
            }
            assert!((moments - 1..=moments).contains(&turns), "{schedule:?}: {turns}");
        }
    }

    #[test]
    fn is_kept_as_it_was_said() {
        for text in ["manual", "daily", "weekly monday", "weekly sunday", "monthly 1", "monthly 28"] {
            let schedule: Schedule = text.parse().unwrap();
            let (interval, day) = schedule.to_stored();
            assert_eq!(Schedule::stored(interval, day).unwrap(), schedule);
        }
        for text in ["", "hourly", "weekly", "weekly 1", "monthly 29", "monthly 0", "daily monday"] {
            assert!(text.parse::<Schedule>().is_err(), "{text}");
        }
        assert!(Schedule::stored("weekly", Some(8)).is_err());
    }
}
