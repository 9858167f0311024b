//! Thicket over QUIC: what carries a home's sync session to a server and back.
//!
//! [`run()`] does one errand and returns, [`watch()`] stays connected while other processes use the home, and a [`Keeper`]
//! owns the home of an app on a thread of its own. All three pump the same
//! [`thicket_core::sync::SyncSession`] over a [`link::Link`]; no rule of the notebook lives here.
//!
//! ```no_run
//! # fn sync(home: &mut thicket_core::home::Home, clock: fn() -> thicket_core::time::Moment) -> Result<(), thicket_client::ClientError> {
//! use thicket_client::{Limits, run};
//! use thicket_core::sync::Errand;
//!
//! let outcome = run(home, Errand::Sync, &Limits::default(), &clock, &mut |_event| {})?;
//! assert!(outcome.is_up_to_date);
//! # Ok(())
//! # }
//! ```

mod backoff;
mod error;
#[cfg(test)]
mod fixture;
mod frames;
pub mod keeper;
#[cfg(test)]
mod keeper_tests;
pub mod link;
#[cfg(test)]
mod link_tests;
mod pin;
mod pump;
mod run;
#[cfg(test)]
mod run_tests;
mod stop;
pub mod watch;

pub use self::error::ClientError;
pub use self::keeper::Keeper;
pub use self::run::{Limits, run};
pub use self::stop::Stop;
pub use self::watch::{WatchEvent, watch};
