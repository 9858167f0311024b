//! The home of an app: made, joined, opened, paused, locked.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use thicket_client::Keeper;
use thicket_core::entropy::SystemEntropy;
use thicket_core::home::{self, NotResumed, PausedHome};
use thicket_core::ring::Wrapping;
use thicket_core::time::Moment;
use tokio::time::{Instant, sleep};

use crate::ThicketError;
use crate::feed::Feed;
use crate::key_store::{Unlock, holds_home};
use crate::time::Clock;
use crate::words::Realm;

/// How long a home that another has open is waited for.
const BUSY_WAIT: Duration = Duration::from_secs(2);
/// How often it is looked at meanwhile.
const BUSY_LOOK: Duration = Duration::from_millis(25);

/// What a new team begins with.
#[derive(Debug, Clone, uniffi::Record)]
pub struct Founding {
    /// The team's name.
    pub team: String,
    /// The first member's name.
    pub member: String,
    /// The device's name.
    pub device: String,
    /// The first notebook's name.
    pub notebook: String,
    /// Its realm.
    pub realm: Realm,
}

/// What one device keeps of one team, and the way to all of it.
///
/// One home is open at a time in a folder. Every call that writes has made it durable when it returns, but for [`crate::Editor::splice`]. A call that is
/// given up before it returns is either done whole or not at all. Paused or locked, and after a fault that ended its
/// thread, a home answers [`ThicketError::Closed`]; then open it anew.
#[derive(Debug, uniffi::Object)]
pub struct Home {
    clock: Clock,
    state: Mutex<State>,
}

#[derive(Debug)]
enum State {
    Open(Arc<Keeper>),
    Paused(PausedHome),
    /// On the way from one to another: whoever asks meanwhile is too early.
    Turning,
    Locked,
}

/// Runs what waits for the disk, Argon2 or a person on a thread that may wait. It is done even if nobody waits for it.
async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ThicketError> + Send + 'static,
) -> Result<T, ThicketError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|_| Err(ThicketError::fault("work at the home's files fell")))
}

fn entropy() -> Box<SystemEntropy> {
    Box::new(SystemEntropy::new())
}

fn start(home: home::Home, clock: &Clock) -> Result<Arc<Keeper>, ThicketError> {
    let clock = clock.clone();
    Ok(Arc::new(Keeper::start(home, Arc::new(move || clock.now()))?))
}

#[uniffi::export(async_runtime = "tokio")]
impl Home {
    /// Makes the home of a new team of one in a folder that is empty or not there, with its first notebook.
    ///
    /// `utc_offset_minutes` is the distance of the device's zone from UTC; see [`Home::set_zone`]. Whoever forgets the passphrase of a team of
    /// one loses everything.
    #[uniffi::constructor]
    pub async fn create(
        folder: String,
        founding: Founding,
        unlock: Unlock,
        utc_offset_minutes: i16,
    ) -> Result<Arc<Self>, ThicketError> {
        let founding = home::Founding {
            team: founding.team.parse()?,
            member: founding.member.parse()?,
            device: founding.device.parse()?,
            notebook: founding.notebook.parse()?,
            realm: founding.realm.into(),
        };
        Self::begin(folder, utc_offset_minutes, move |folder, now| {
            unlock
                .shut(folder, |wrapping| Ok(home::Home::init(folder, wrapping, &founding, now, entropy())?.0))
        })
        .await
    }

    /// Makes the home of a device that is to join a team; offline. [`Home::finish_join`] does the rest.
    ///
    /// Called again with the same folder it goes on with a join that was cut short.
    #[uniffi::constructor]
    pub async fn join(
        folder: String,
        code: String,
        member: String,
        device: String,
        unlock: Unlock,
        utc_offset_minutes: i16,
    ) -> Result<Arc<Self>, ThicketError> {
        let code = code.parse().map_err(home::HomeError::InviteCode)?;
        let (member, device) = (member.parse()?, device.parse()?);
        Self::begin(folder, utc_offset_minutes, move |folder, now| {
            let join = |wrapping: Wrapping<'_>| {
                Ok(home::Home::prepare_join(folder, wrapping, &code, member, device, now, entropy())?)
            };
            if holds_home(folder)? { join(unlock.key(folder)?.wrapping()) } else { unlock.shut(folder, join) }
        })
        .await
    }

    /// Opens a home. One that is still being closed is waited for, at most two seconds.
    #[uniffi::constructor]
    pub async fn open(
        folder: String,
        unlock: Unlock,
        utc_offset_minutes: i16,
    ) -> Result<Arc<Self>, ThicketError> {
        let asked = folder.clone();
        let key = Arc::new(aside(move || unlock.key(Path::new(&asked))).await?);
        let until = Instant::now() + BUSY_WAIT;
        loop {
            let (folder, key) = (folder.clone(), Arc::clone(&key));
            let opened = Self::begin(folder, utc_offset_minutes, move |folder, now| {
                Ok(home::Home::open(folder, key.wrapping(), now, entropy())?)
            });
            match opened.await {
                Err(ThicketError::Busy) if Instant::now() < until => sleep(BUSY_LOOK).await,
                opened => return opened,
            }
        }
    }

    /// Tells the home which zone the device is in now: at the start, after a flight, at a change of summer time.
    pub fn set_zone(&self, utc_offset_minutes: i16) -> Result<(), ThicketError> {
        self.clock.set_zone(utc_offset_minutes)
    }

    /// Tells whether it is neither paused nor locked.
    pub fn is_open(&self) -> bool {
        matches!(&*self.state(), State::Open(_))
    }

    /// Closes the files once the calls made before are done, and keeps the keys in memory: for an app that goes to the background. Feeds end.
    ///
    /// Nothing to do when it is paused already.
    pub async fn pause(&self) -> Result<(), ThicketError> {
        let keeper = match self.turn() {
            State::Open(keeper) => keeper,
            before @ (State::Paused(_) | State::Turning | State::Locked) => {
                let is_paused = matches!(before, State::Paused(_));
                self.settle(before);
                return if is_paused { Ok(()) } else { Err(ThicketError::Closed) };
            }
        };
        let turning = Turning { home: self, back: State::Locked };
        let paused = keeper.pause().await?;
        turning.into(State::Paused(paused));
        Ok(())
    }

    /// Opens the files again, without asking for anything. Busy while another process has them: then try again.
    ///
    /// Nothing to do when it is open.
    pub async fn resume(&self) -> Result<(), ThicketError> {
        let paused = match self.turn() {
            State::Paused(paused) => paused,
            before @ (State::Open(_) | State::Turning | State::Locked) => {
                let is_open = matches!(before, State::Open(_));
                self.settle(before);
                return if is_open { Ok(()) } else { Err(ThicketError::Closed) };
            }
        };
        let turning = Turning { home: self, back: State::Locked };
        let (clock, now) = (self.clock.clone(), self.now());
        let resumed = aside(move || match paused.resume(now) {
            Ok(home) => Ok(State::Open(start(home, &clock)?)),
            Err(NotResumed::Busy(paused)) => Ok(State::Paused(*paused)),
            Err(NotResumed::Failed(error)) => Err(error.into()),
        });
        let state = resumed.await?;
        let is_open = matches!(state, State::Open(_));
        turning.into(state);
        if is_open { Ok(()) } else { Err(ThicketError::Busy) }
    }

    /// Locks the home once the calls made before are done: every key is wiped from memory, and only [`Home::open`] opens it again. Feeds end.
    pub async fn lock(&self) -> Result<(), ThicketError> {
        match self.turn() {
            State::Open(keeper) => {
                let _turning = Turning { home: self, back: State::Locked };
                drop(keeper.pause().await?);
                Ok(())
            }
            State::Turning => {
                self.settle(State::Turning);
                Err(ThicketError::Busy)
            }
            State::Paused(_) | State::Locked => {
                self.settle(State::Locked);
                Ok(())
            }
        }
    }

    /// Follows what changes from now on.
    pub fn feed(&self) -> Result<Arc<Feed>, ThicketError> {
        Ok(Arc::new(Feed::new(self.keeper()?.feed())))
    }
}

impl Home {
    async fn begin(
        folder: String,
        utc_offset_minutes: i16,
        open: impl FnOnce(&Path, Moment) -> Result<home::Home, ThicketError> + Send + 'static,
    ) -> Result<Arc<Self>, ThicketError> {
        let clock = Clock::new(utc_offset_minutes)?;
        aside(move || {
            let keeper = start(open(&PathBuf::from(folder), clock.now())?, &clock)?;
            Ok(Arc::new(Self { clock, state: Mutex::new(State::Open(keeper)) }))
        })
        .await
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A state is whole at every moment: it is replaced in one step.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn turn(&self) -> State {
        std::mem::replace(&mut *self.state(), State::Turning)
    }

    fn settle(&self, state: State) {
        *self.state() = state;
    }

    pub(crate) fn now(&self) -> Moment {
        self.clock.now()
    }

    pub(crate) fn keeper(&self) -> Result<Arc<Keeper>, ThicketError> {
        match &*self.state() {
            State::Open(keeper) => Ok(Arc::clone(keeper)),
            State::Paused(_) | State::Turning | State::Locked => Err(ThicketError::Closed),
        }
    }

    /// Reads on the home's thread.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&home::Home) -> Result<T, ThicketError> + Send + 'static,
    ) -> Result<T, ThicketError> {
        self.keeper()?.read(work).await?
    }

    /// Writes on the home's thread.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut home::Home, Moment) -> Result<T, ThicketError> + Send + 'static,
    ) -> Result<T, ThicketError> {
        let now = self.now();
        self.keeper()?.write(move |home| work(home, now)).await?
    }
}

/// Puts a state back, also when whoever waits for the turn gives up.
struct Turning<'h> {
    home: &'h Home,
    back: State,
}

impl Turning<'_> {
    fn into(mut self, state: State) {
        self.back = state;
    }
}

impl Drop for Turning<'_> {
    fn drop(&mut self) {
        self.home.settle(std::mem::replace(&mut self.back, State::Locked));
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    #[tokio::test]
    async fn a_panic_on_the_homes_thread_is_an_error_and_the_home_opens_anew() {
        let folder = TempDir::new().expect("a folder");
        let path = folder.path().to_str().expect("a path of text").to_owned();
        let unlock = || Unlock::ByPassphrase { passphrase: "right".to_owned() };
        let text = |text: &str| text.to_owned();
        let founding = Founding {
            team: text("Team"),
            member: text("Ada"),
            device: text("Phone"),
            notebook: text("Study"),
            realm: Realm::Research,
        };
        let home = Home::create(path.clone(), founding, unlock(), 0).await.expect("a home");
        let kept = home.create_notebook(text("Kept"), Realm::Research).await.expect("the name is free");
        let feed = home.feed().expect("it is open");
        let fallen = home.write::<()>(|_, _| panic!("on purpose")).await;
        assert_eq!(fallen, Err(ThicketError::Closed));
        while feed.next().await.is_some() {}
        assert_eq!(home.notebooks().await.map(drop), Err(ThicketError::Closed));
        assert_eq!(home.lock().await, Err(ThicketError::Closed));
        let home = Home::open(path, unlock(), 0).await.expect("it opens");
        let all = home.notebooks().await.expect("it is open");
        assert!(all.iter().any(|notebook| notebook.id == kept), "what was acknowledged is there");
    }
}
