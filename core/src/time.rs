//! Time as the field keeps it: civil days that have no zone, and moments that have one.
//!
//! Nothing here reads a clock: "now" is an argument. A date of day precision is never turned into an instant, so
//! a diary of 1660 stays on its day wherever it is read.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use jiff::civil::Date;
use jiff::fmt::temporal::Pieces;
use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};
use minicbor::{Decode, Decoder, Encode, Encoder, decode, encode};
use thicket_protocol::words::UnknownWord;

use crate::vocabulary::PartOfDay;

/// The farthest that a zone may lie from UTC, in minutes either way (RFC 3339, section 5.6: 23:59).
pub const OFFSET_MINUTES_MAX: i16 = 23 * 60 + 59;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;
const MINUTE_MS: i64 = 60 * 1000;
const EPOCH: Date = Date::constant(1970, 1, 1);

/// Text or numbers that name no time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TimeError {
    /// Not a date of the years -9999 to 9999.
    #[error("not a date: YYYY-MM-DD is wanted")]
    Day,
    /// Not an RFC 3339 time with its zone.
    #[error("not a time: YYYY-MM-DDTHH:MM:SS with a zone such as Z or +01:00 is wanted")]
    Moment,
    /// Not a part of a day.
    #[error("not a part of a day: {0}")]
    Part(#[from] UnknownWord),
}

/// A civil date of the proleptic Gregorian calendar, years -9999 to 9999, without a zone.
///
/// In CBOR it is the number of days since 1970-01-01.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(Date);

impl Day {
    /// The last day that has a name, 9999-12-31.
    pub const LAST: Self = Self(Date::constant(9999, 12, 31));

    /// Names a day, if the calendar has it.
    pub fn new(year: i16, month: i8, day: i8) -> Result<Self, TimeError> {
        Date::new(year, month, day).map(Self).map_err(|_| TimeError::Day)
    }

    /// Takes a number of days since 1970-01-01.
    pub fn from_unix_days(days: i32) -> Result<Self, TimeError> {
        let since = SignedDuration::from_hours(i64::from(days) * 24);
        EPOCH.checked_add(since).map(Self).map_err(|_| TimeError::Day)
    }

    /// Counts the days since 1970-01-01.
    pub fn unix_days(self) -> i32 {
        let days = EPOCH.duration_until(self.0).as_secs() * 1000 / DAY_MS;
        i32::try_from(days).expect("twenty thousand years have under eight million days")
    }
}

impl FromStr for Day {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Self, TimeError> {
        let day = Self(text.parse().map_err(|_| TimeError::Day)?);
        // The parser also takes times and week dates; only what we print is a day.
        if day.to_string() == text { Ok(day) } else { Err(TimeError::Day) }
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Day({self})")
    }
}

impl<C> Encode<C> for Day {
    fn encode<W: encode::Write>(&self, e: &mut Encoder<W>, _: &mut C) -> Result<(), encode::Error<W::Error>> {
        e.i32(self.unix_days())?.ok()
    }
}

impl<'b, C> Decode<'b, C> for Day {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, decode::Error> {
        let at = d.position();
        Self::from_unix_days(d.i32()?).map_err(|_| decode::Error::message("no such day").at(at))
    }
}

/// An instant to the millisecond, together with the zone it was lived in.
///
/// Two moments are equal when both instant and zone are. In CBOR it is `[unix_ms, offset_minutes]`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Moment {
    unix_ms: i64,
    offset_minutes: i16,
}

impl Moment {
    /// Takes milliseconds since 1970-01-01T00:00:00Z and the zone's distance from UTC in minutes, east positive.
    pub fn new(unix_ms: i64, offset_minutes: i16) -> Result<Self, TimeError> {
        let moment = Self { unix_ms, offset_minutes };
        let in_zone = offset_minutes.unsigned_abs() <= OFFSET_MINUTES_MAX.unsigned_abs();
        if in_zone && Timestamp::from_millisecond(unix_ms).is_ok() {
            Ok(moment)
        } else {
            Err(TimeError::Moment)
        }
    }

    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub const fn unix_ms(self) -> i64 {
        self.unix_ms
    }

    /// The zone's distance from UTC in minutes, east positive.
    pub const fn offset_minutes(self) -> i16 {
        self.offset_minutes
    }

    /// The civil day in the zone of this moment.
    pub fn day(self) -> Day {
        Day(self.offset().to_datetime(self.timestamp()).date())
    }

    fn timestamp(self) -> Timestamp {
        Timestamp::from_millisecond(self.unix_ms).expect("the constructor checked the range")
    }

    fn offset(self) -> Offset {
        Offset::from_seconds(i32::from(self.offset_minutes) * 60).expect("the constructor checked the zone")
    }

    /// Milliseconds since local midnight.
    fn day_ms(self) -> i64 {
        (self.unix_ms + i64::from(self.offset_minutes) * MINUTE_MS).rem_euclid(DAY_MS)
    }
}

impl FromStr for Moment {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Self, TimeError> {
        let pieces = Pieces::parse(text).map_err(|_| TimeError::Moment)?;
        let (Some(time), Some(offset), None) =
            (pieces.time(), pieces.to_numeric_offset(), pieces.time_zone_annotation())
        else {
            return Err(TimeError::Moment);
        };
        let minutes = offset.seconds() / 60;
        if minutes * 60 != offset.seconds() {
            return Err(TimeError::Moment);
        }
        let minutes = i16::try_from(minutes).map_err(|_| TimeError::Moment)?;
        let instant = offset.to_timestamp(pieces.date().to_datetime(time)).map_err(|_| TimeError::Moment)?;
        // Floor, so that a fraction never moves a time before 1970 into the next millisecond.
        let unix_ms = instant.as_nanosecond().div_euclid(1_000_000);
        Self::new(i64::try_from(unix_ms).map_err(|_| TimeError::Moment)?, minutes)
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.timestamp().display_with_offset(self.offset()).fmt(f)
    }
}

impl fmt::Debug for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Moment({self})")
    }
}

impl PartialOrd for Moment {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// By instant; the zone only parts what is simultaneous.
impl Ord for Moment {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.unix_ms, self.offset_minutes).cmp(&(other.unix_ms, other.offset_minutes))
    }
}

impl<C> Encode<C> for Moment {
    fn encode<W: encode::Write>(&self, e: &mut Encoder<W>, _: &mut C) -> Result<(), encode::Error<W::Error>> {
        e.array(2)?.i64(self.unix_ms)?.i16(self.offset_minutes)?.ok()
    }
}

impl<'b, C> Decode<'b, C> for Moment {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, decode::Error> {
        let at = d.position();
        if d.array()? != Some(2) {
            return Err(decode::Error::message("a moment is two numbers").at(at));
        }
        Self::new(d.i64()?, d.i16()?).map_err(|_| decode::Error::message("no such moment").at(at))
    }
}

/// When something was observed, as precisely as its author knew.
///
/// Ordered by civil day, then by the time of that day (a bare day first, a part of the day at its beginning).
/// Its text is `2026-11-25`, `2026-11-25/morning` or an RFC 3339 time with zone, and reads back as the same value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Encode, Decode)]
pub enum Observed {
    /// Some time on that day.
    #[n(0)]
    Day(#[n(0)] Day),
    /// In one part of that day.
    #[n(1)]
    Part(#[n(0)] Day, #[n(1)] PartOfDay),
    /// At that minute.
    #[n(2)]
    Minute(#[n(0)] Moment),
}

impl Observed {
    /// How many bytes [`Self::sort_key`] has.
    pub(crate) const SORT_KEY_BYTES: usize = 11;

    /// The civil day, in the zone where it was lived.
    pub fn day(self) -> Day {
        match self {
            Self::Day(day) | Self::Part(day, _) => day,
            Self::Minute(moment) => moment.day(),
        }
    }

    /// Tells whether this may lie at or after `start`: by the minute when both are known to the minute, else by the
    /// day, where the same day counts.
    pub fn reaches(self, start: Self) -> bool {
        match (self, start) {
            (Self::Minute(this), Self::Minute(start)) => {
                this.unix_ms.div_euclid(MINUTE_MS) >= start.unix_ms.div_euclid(MINUTE_MS)
            }
            (Self::Day(_) | Self::Part(..), _) | (_, Self::Day(_) | Self::Part(..)) => {
                self.day() >= start.day()
            }
        }
    }

    /// Bytes that sort as the values do: day, time of the day in ms, form, and the zone, later instants last.
    pub(crate) fn sort_key(self) -> [u8; Self::SORT_KEY_BYTES] {
        let (day, day_ms, form, _, offset) = self.order();
        let mut key = [0; Self::SORT_KEY_BYTES];
        let day = (day.unix_days() ^ i32::MIN).to_be_bytes();
        // On one day at one local time the instant is the later, the farther west the zone lies.
        let zone = (!offset ^ i16::MIN).to_be_bytes();
        let day_ms = u32::try_from(day_ms).expect("a day has under 2^32 ms").to_be_bytes();
        let bytes = day.into_iter().chain(day_ms).chain([form]).chain(zone);
        key.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
        key
    }

    fn order(self) -> (Day, i64, u8, i64, i16) {
        match self {
            Self::Day(day) => (day, 0, 0, 0, 0),
            Self::Part(day, part) => (day, i64::from(part.begins_at_hour()) * 60 * MINUTE_MS, 1, 0, 0),
            Self::Minute(at) => (at.day(), at.day_ms(), 2, at.unix_ms, at.offset_minutes),
        }
    }
}

impl PartOfDay {
    /// The hour at which this part of a day is sorted in; convention of this crate.
    const fn begins_at_hour(self) -> u8 {
        match self {
            Self::Morning => 6,
            Self::Afternoon => 12,
            Self::Evening => 18,
            Self::Night => 22,
        }
    }
}

impl PartialOrd for Observed {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Observed {
    fn cmp(&self, other: &Self) -> Ordering {
        self.order().cmp(&other.order())
    }
}

impl FromStr for Observed {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Self, TimeError> {
        match text.split_once('/') {
            Some((day, part)) => Ok(Self::Part(day.parse()?, part.parse()?)),
            None if text.contains(['T', 't', ' ', ':']) => text.parse().map(Self::Minute),
            None => text.parse().map(Self::Day),
        }
    }
}

impl fmt::Display for Observed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Day(day) => day.fmt(f),
            Self::Part(day, part) => write!(f, "{day}/{part}"),
            Self::Minute(moment) => moment.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing, reason = "tests index what they made")]

    use proptest::prelude::*;
    use thicket_protocol::cbor;

    use super::*;

    fn at(text: &str) -> Observed {
        text.parse().expect("a time of the test")
    }

    #[test]
    fn a_day_of_1660_is_a_day_and_keeps_its_name() {
        let day: Day = "1660-01-01".parse().expect("a day");
        assert_eq!(day, Day::new(1660, 1, 1).expect("a day"));
        assert_eq!(day.to_string(), "1660-01-01");
        assert_eq!(cbor::decode::<Day>(&cbor::encode(&day)).expect("decodes"), day);
        assert_eq!(Day::from_unix_days(0).expect("a day").to_string(), "1970-01-01");
        assert_eq!(day.unix_days(), -113_225);
    }

    #[test]
    fn days_end_where_the_calendar_ends() {
        for (year, month, day) in [(-9999, 1, 1), (9999, 12, 31)] {
            let day = Day::new(year, month, day).expect("at the limit");
            assert_eq!(Day::from_unix_days(day.unix_days()), Ok(day));
            assert_eq!(day.to_string().parse(), Ok(day));
            let past = day.unix_days() + day.unix_days().signum();
            assert_eq!(Day::from_unix_days(past), Err(TimeError::Day));
            assert!(cbor::decode::<Day>(&cbor::encode(&past)).is_err());
        }
        assert_eq!(Day::from_unix_days(i32::MIN), Err(TimeError::Day));
        assert_eq!(Day::from_unix_days(i32::MAX), Err(TimeError::Day));
    }

    #[test]
    fn only_a_date_alone_is_a_day() {
        for wrong in
            ["", "2026-02-30", "2026-1-1", "20260101", "2026-01-01T10:00Z", "2026-W01-1", " 2026-01-01"]
        {
            assert_eq!(wrong.parse::<Day>(), Err(TimeError::Day), "{wrong}");
        }
    }

    #[test]
    fn a_moment_keeps_its_instant_and_its_zone() {
        let moment: Moment = "2026-11-25T00:30:00+01:00".parse().expect("a moment");
        assert_eq!((moment.unix_ms(), moment.offset_minutes()), (1_795_563_000_000, 60));
        assert_eq!(moment.to_string(), "2026-11-25T00:30:00+01:00");
        assert_eq!(moment.day().to_string(), "2026-11-25");
        assert_eq!(cbor::decode::<Moment>(&cbor::encode(&moment)).expect("decodes"), moment);
        let same: Moment = "2026-11-24T23:30:00Z".parse().expect("a moment");
        assert_eq!(same.unix_ms(), moment.unix_ms());
        assert_eq!(same.day().to_string(), "2026-11-24");
        let early: Moment = "1660-01-01T00:00:00.0009Z".parse().expect("a moment");
        assert_eq!(early.unix_ms().rem_euclid(1000), 0, "a fraction is cut, not rounded");
    }

    #[test]
    fn a_time_without_a_zone_is_refused() {
        for wrong in
            ["2026-11-25T10:00:00", "2026-11-25", "10:00Z", "2026-11-25T10:00:00+01:00[Europe/Oslo]", "T"]
        {
            assert_eq!(wrong.parse::<Moment>(), Err(TimeError::Moment), "{wrong}");
        }
    }

    #[test]
    fn zones_end_one_minute_before_a_day() {
        assert!(Moment::new(0, OFFSET_MINUTES_MAX).is_ok());
        assert!(Moment::new(0, -OFFSET_MINUTES_MAX).is_ok());
        for wrong in [OFFSET_MINUTES_MAX + 1, -OFFSET_MINUTES_MAX - 1, i16::MIN] {
            assert_eq!(Moment::new(0, wrong), Err(TimeError::Moment));
        }
        assert_eq!(Moment::new(i64::MAX, 0), Err(TimeError::Moment));
        assert_eq!(Moment::new(i64::MIN, 0), Err(TimeError::Moment));
    }

    #[test]
    fn what_was_observed_sorts_by_civil_day_and_then_by_time() {
        let sorted = [
            "1660-01-01",
            "2026-11-24T23:59:00-11:00",
            "2026-11-25",
            "2026-11-25T00:30:00+13:00",
            "2026-11-25/morning",
            "2026-11-25T10:00:00Z",
            "2026-11-25/night",
        ];
        let mut times = sorted.map(at);
        times.reverse();
        times.sort();
        assert_eq!(times.map(|time| time.to_string()), sorted.map(|text| at(text).to_string()));
    }

    #[test]
    fn a_start_reaches_by_the_minute_only_when_both_minutes_are_known() {
        let start = at("2026-11-25T14:00:30Z");
        assert!(at("2026-11-25T14:00:00Z").reaches(start), "the same minute");
        assert!(!at("2026-11-25T13:59:59Z").reaches(start));
        assert!(at("2026-11-25T15:00:00+01:00").reaches(start), "by the instant, whatever the zone");
        assert!(at("2026-11-25/morning").reaches(start), "the same day counts");
        assert!(at("2026-11-25T09:00:00Z").reaches(at("2026-11-25")));
        assert!(!at("2026-11-24").reaches(start));
    }

    proptest! {
        #[test]
        fn every_time_reads_back_from_text_and_cbor(
            days in -4_000_000_i32..2_900_000,
            ms in -377_000_000_000_000_i64..253_000_000_000_000,
            offset in -OFFSET_MINUTES_MAX..=OFFSET_MINUTES_MAX,
            kind in 0..3,
        ) {
            let day = Day::from_unix_days(days).expect("in range");
            let observed = match kind {
                0 => Observed::Day(day),
                1 => Observed::Part(day, PartOfDay::Evening),
                _ => Observed::Minute(Moment::new(ms, offset).expect("in range")),
            };
            prop_assert_eq!(observed.to_string().parse(), Ok(observed));
            prop_assert_eq!(cbor::decode::<Observed>(&cbor::encode(&observed)).expect("decodes"), observed);
        }

        #[test]
        fn sort_keys_sort_as_the_times_do(
            days in prop::array::uniform2(-3_i32..3),
            quarters in prop::array::uniform2(-600_i64..600),
            offsets in prop::array::uniform2(-4_i16..4),
            kinds in prop::array::uniform2(0_u8..7),
        ) {
            let [one, other] = [0_usize, 1].map(|at| {
                let day = Day::from_unix_days(days[at]).expect("in range");
                match kinds[at] {
                    0 => Observed::Day(day),
                    1 => Observed::Part(day, PartOfDay::Morning),
                    2 => Observed::Part(day, PartOfDay::Night),
                    _ => Observed::Minute(
                        Moment::new(quarters[at] * 15 * MINUTE_MS, offsets[at] * 180).expect("in range"),
                    ),
                }
            });
            prop_assert_eq!(one.sort_key().cmp(&other.sort_key()), one.cmp(&other), "{} {}", one, other);
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in "\\PC{0,30}") {
            let _ = text.parse::<Observed>();
        }
    }
}
