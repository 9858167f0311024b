//! Times as the apps see them, and the device's clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicI16, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use thicket_core::time::{self, OFFSET_MINUTES_MAX};

use crate::ThicketError;
use crate::words::PartOfDay;

/// An instant with the zone it was lived in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Record)]
pub struct Moment {
    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub unix_ms: i64,
    /// The zone's distance from UTC in minutes, east positive; at most 23:59 either way.
    pub offset_minutes: i16,
}

/// When something was observed, as precisely as its author knew.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Enum)]
pub enum Observed {
    /// Some time on that day.
    OnDay {
        /// A civil date, as `2026-11-25`, without a zone.
        day: String,
    },
    /// In one part of that day.
    InPart {
        /// A civil date.
        day: String,
        /// Which part.
        part: PartOfDay,
    },
    /// At that minute.
    AtMinute {
        /// Which.
        moment: Moment,
    },
}

impl Moment {
    fn read(self) -> Result<time::Moment, ThicketError> {
        Ok(time::Moment::new(self.unix_ms, self.offset_minutes)?)
    }
}

impl From<time::Moment> for Moment {
    fn from(moment: time::Moment) -> Self {
        Self { unix_ms: moment.unix_ms(), offset_minutes: moment.offset_minutes() }
    }
}

impl Observed {
    pub(crate) fn read(&self) -> Result<time::Observed, ThicketError> {
        Ok(match self {
            Self::OnDay { day } => time::Observed::Day(day.parse()?),
            Self::InPart { day, part } => time::Observed::Part(day.parse()?, (*part).into()),
            Self::AtMinute { moment } => time::Observed::Minute(moment.read()?),
        })
    }
}

impl From<time::Observed> for Observed {
    fn from(observed: time::Observed) -> Self {
        match observed {
            time::Observed::Day(day) => Self::OnDay { day: day.to_string() },
            time::Observed::Part(day, part) => Self::InPart { day: day.to_string(), part: part.into() },
            time::Observed::Minute(moment) => Self::AtMinute { moment: moment.into() },
        }
    }
}

/// The device's clock: the system's time, in the zone that the app says it is in.
#[derive(Debug, Clone)]
pub(crate) struct Clock(Arc<AtomicI16>);

impl Clock {
    pub(crate) fn new(offset_minutes: i16) -> Result<Self, ThicketError> {
        let clock = Self(Arc::default());
        clock.set_zone(offset_minutes)?;
        Ok(clock)
    }

    pub(crate) fn set_zone(&self, offset_minutes: i16) -> Result<(), ThicketError> {
        if offset_minutes.unsigned_abs() > OFFSET_MINUTES_MAX.unsigned_abs() {
            return Err(ThicketError::invalid("a zone lies at most 23:59 from UTC"));
        }
        self.0.store(offset_minutes, Ordering::Relaxed);
        Ok(())
    }

    pub(crate) fn now(&self) -> time::Moment {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let unix_ms = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
        let offset = self.0.load(Ordering::Relaxed);
        // A clock beyond the calendar is as wrong as one that was never set.
        let never_set = || time::Moment::new(0, 0).expect("1970 is a time");
        time::Moment::new(unix_ms, offset).unwrap_or_else(|_| never_set())
    }
}
