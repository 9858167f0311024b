//! The home of an app, kept open by one thread: what is written and read on it, and what syncs it, take turns there.

use std::collections::VecDeque;
use std::sync::Arc;
use std::thread;

use thicket_core::home::{Home, HomeError, PausedHome};
use thicket_core::sync::{Errand, Outcome, SyncEvent, SyncSession};
use thicket_core::time::Moment;
use tokio::sync::broadcast::error::TryRecvError;
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::link::{self, Link};
use crate::pump::{self, Arrival, Clock, Pump};
use crate::run::end_of_errand;
use crate::{ClientError, Limits};

/// Calls that may wait for the thread; further ones wait for a place.
pub const ORDERS_MAX: usize = 64;
/// Errands that may wait for the one under way; further ones are refused.
pub const ERRANDS_MAX: usize = 16;
/// Changes that a [`Feed`] keeps for a reader who is slow.
pub const CHANGES_MAX: usize = 256;

/// The device's clock, as a keeper holds it.
pub type OwnedClock = Arc<dyn Fn() -> Moment + Send + Sync>;

/// What has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// The home may hold something else than before: what is shown is to be read again.
    Home,
    /// A session told something; after [`SyncEvent::Settled`] its connection stays, and what is written is sent at once.
    Sync(SyncEvent),
    /// The connection that stayed was lost; [`Keeper::sync`] makes another.
    Offline,
}

/// Keeps a home open on a thread of its own.
///
/// Dropping it closes the home once the calls made before are done; [`Keeper::close`] also tells how that went.
#[derive(Debug)]
pub struct Keeper {
    orders: mpsc::Sender<Order>,
    /// Weak, so that feeds end with the thread, however it ends.
    changes: broadcast::WeakSender<Change>,
}

/// What has changed, to be pulled; see [`Keeper::feed`].
#[derive(Debug)]
pub struct Feed(broadcast::Receiver<Change>);

impl Feed {
    /// Waits for the next change; none when the home is closed. Cancel-safe.
    ///
    /// Whoever is more than [`CHANGES_MAX`] behind gets one [`Change::Home`] for all that was missed.
    pub async fn next(&mut self) -> Option<Change> {
        match self.0.recv().await {
            Ok(change) => Some(change),
            Err(broadcast::error::RecvError::Lagged(_)) => Some(Change::Home),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }

    /// The next change that is there already; none when there is none yet, or the home is closed.
    pub fn waiting(&mut self) -> Option<Change> {
        match self.0.try_recv() {
            Ok(change) => Some(change),
            Err(TryRecvError::Lagged(_)) => Some(Change::Home),
            Err(TryRecvError::Empty | TryRecvError::Closed) => None,
        }
    }
}

impl Keeper {
    /// Takes a home onto a thread of its own.
    ///
    /// # Errors
    /// [`ClientError::Unreachable`] when the system gives no thread or no sockets; the home is closed then.
    pub fn start(home: Home, clock: OwnedClock) -> Result<Self, ClientError> {
        let (orders, taken) = mpsc::channel(ORDERS_MAX);
        let kept = broadcast::Sender::new(CHANGES_MAX);
        let changes = kept.downgrade();
        let runtime = pump::runtime()?;
        // The thread ends when the last sender of orders is dropped, which is this keeper's.
        thread::Builder::new()
            .name("thicket-home".to_owned())
            .spawn(move || {
                runtime.block_on(Kept::new(home, clock, kept).keep(taken));
                pump::end(runtime);
            })
            .map_err(ClientError::Unreachable)?;
        Ok(Self { orders, changes })
    }

    /// Reads from the home.
    ///
    /// # Errors
    /// [`ClientError::Closed`].
    pub async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Home) -> T + Send + 'static,
    ) -> Result<T, ClientError> {
        self.order(|done| Order::Read(Box::new(move |home| drop(done.send(work(home)))))).await
    }

    /// Writes into the home; a connection that stands sends it at once. Once begun it is done even if nobody waits.
    ///
    /// # Errors
    /// [`ClientError::Closed`].
    pub async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Home) -> T + Send + 'static,
    ) -> Result<T, ClientError> {
        self.order(|done| Order::Write(Box::new(move |home| drop(done.send(work(home)))))).await
    }

    /// Writes what nobody is shown and no server is sent yet, a keystroke into the journal: no change is told.
    ///
    /// # Errors
    /// [`ClientError::Closed`].
    pub async fn write_quietly<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Home) -> T + Send + 'static,
    ) -> Result<T, ClientError> {
        self.order(|done| Order::WriteQuietly(Box::new(move |home| drop(done.send(work(home)))))).await
    }

    /// Does an errand as [`crate::run()`] does, while reading and writing go on; its events come through the feed.
    ///
    /// # Errors
    /// As [`crate::run()`]; [`ClientError::Closed`] when the home is closed before, [`HomeError::Busy`] when
    /// [`ERRANDS_MAX`] errands wait already.
    pub async fn sync(&self, errand: Errand, limits: Limits) -> Result<Outcome, ClientError> {
        self.order(|done| Order::Sync(Asked { errand, limits, done })).await?
    }

    /// Follows what changes from now on.
    pub fn feed(&self) -> Feed {
        let ended = || broadcast::Sender::new(1).subscribe();
        Feed(self.changes.upgrade().map_or_else(ended, |changes| changes.subscribe()))
    }

    /// Goes on from another socket: the device has changed its network.
    ///
    /// # Errors
    /// [`ClientError::Closed`].
    pub async fn network_changed(&self) -> Result<(), ClientError> {
        self.orders.send(Order::NetworkChanged).await.map_err(|_| ClientError::Closed)
    }

    /// Closes the home once the calls made before are done; later ones and errands that wait are told that it is closed.
    ///
    /// # Errors
    /// Those of [`Home::lock`]; [`ClientError::Closed`].
    pub async fn close(&self) -> Result<(), ClientError> {
        Ok(self.order(Order::Close).await??)
    }

    /// Closes the files once the calls made before are done, and hands the home back with its keys in memory: for an app that
    /// goes to the background.
    ///
    /// # Errors
    /// Those of [`Home::pause`]; [`ClientError::Closed`].
    pub async fn pause(&self) -> Result<PausedHome, ClientError> {
        Ok(self.order(Order::Pause).await??)
    }

    async fn order<T>(&self, order: impl FnOnce(oneshot::Sender<T>) -> Order) -> Result<T, ClientError> {
        let (done, answer) = oneshot::channel();
        self.orders.send(order(done)).await.map_err(|_| ClientError::Closed)?;
        answer.await.map_err(|_| ClientError::Closed)
    }
}

/// What the thread is asked to do.
enum Order {
    Read(Box<dyn FnOnce(&Home) + Send>),
    Write(Box<dyn FnOnce(&mut Home) + Send>),
    WriteQuietly(Box<dyn FnOnce(&mut Home) + Send>),
    Sync(Asked),
    NetworkChanged,
    Close(oneshot::Sender<Result<(), HomeError>>),
    Pause(oneshot::Sender<Result<PausedHome, HomeError>>),
}

/// An errand and who waits for its end.
struct Asked {
    errand: Errand,
    limits: Limits,
    done: oneshot::Sender<Result<Outcome, ClientError>>,
}

/// An errand under way.
struct UnderWay {
    deadline: Option<Instant>,
    done: oneshot::Sender<Result<Outcome, ClientError>>,
}

/// What the thread owns.
struct Kept {
    home: Home,
    clock: OwnedClock,
    changes: broadcast::Sender<Change>,
    waiting: VecDeque<Asked>,
    line: Line,
    under_way: Option<UnderWay>,
}

/// The connection.
enum Line {
    Down,
    /// The one attempt that is made, ended when it is dropped.
    Dialling(Box<SyncSession>, JoinSet<Result<Link, ClientError>>),
    Up(Box<Pump>),
}

/// What happened on the line.
enum Moved {
    Linked(Box<Link>),
    Arrived(Arrival),
}

/// What the thread has to do next.
enum Next {
    /// What was ordered; nothing when nobody is left to order.
    Ordered(Option<Order>),
    Moved(Result<Moved, ClientError>),
}

impl Line {
    /// Waits for what happens next; for ever when there is no line. Cancel-safe.
    async fn wait(&mut self, clock: &Clock<'_>) -> Result<Moved, ClientError> {
        match self {
            Self::Down => std::future::pending().await,
            Self::Dialling(_, attempt) => {
                let ended = attempt.join_next().await.expect("there is one attempt");
                ended
                    .expect("an attempt neither panics nor is aborted")
                    .map(|link| Moved::Linked(Box::new(link)))
            }
            Self::Up(pump) => pump.wait(clock).await.map(Moved::Arrived),
        }
    }

    /// What is waited for.
    fn waits_for(&self) -> &'static str {
        match self {
            Self::Up(pump) => pump.waits_for(),
            Self::Down | Self::Dialling(..) => "connection",
        }
    }
}

impl Kept {
    fn new(home: Home, clock: OwnedClock, changes: broadcast::Sender<Change>) -> Self {
        Self { home, clock, changes, waiting: VecDeque::new(), line: Line::Down, under_way: None }
    }

    async fn keep(mut self, mut orders: mpsc::Receiver<Order>) {
        loop {
            self.begin_next().await;
            let done = match self.next(&mut orders).await {
                Next::Moved(moved) => moved.and_then(|moved| self.take_moved(moved)),
                Next::Ordered(None) => return self.leave(|home| drop(home.lock())).await,
                Next::Ordered(Some(Order::Close(done))) => {
                    return self.leave(|home| drop(done.send(home.lock()))).await;
                }
                Next::Ordered(Some(Order::Pause(done))) => {
                    return self.leave(|home| drop(done.send(home.pause()))).await;
                }
                Next::Ordered(Some(Order::Read(work))) => {
                    work(&self.home);
                    Ok(())
                }
                Next::Ordered(Some(Order::Write(work))) => self.write(work),
                Next::Ordered(Some(Order::WriteQuietly(work))) => {
                    work(&mut self.home);
                    Ok(())
                }
                Next::Ordered(Some(Order::Sync(asked))) => {
                    self.enqueue(asked);
                    Ok(())
                }
                Next::Ordered(Some(Order::NetworkChanged)) => self.rebind(),
            };
            let done = done.and_then(|()| self.fill());
            self.tell();
            if let Err(error) = done {
                self.hang_up(error).await;
            }
        }
    }

    /// Waits for what is to be done next.
    async fn next(&mut self, orders: &mut mpsc::Receiver<Order>) -> Next {
        let deadline = self.under_way.as_ref().and_then(|errand| errand.deadline);
        tokio::select! {
            biased;
            () = sleep_until(deadline.unwrap_or_else(Instant::now)), if deadline.is_some() => {
                Next::Moved(Err(ClientError::TimedOut { waits_for: self.line.waits_for() }))
            }
            order = orders.recv() => Next::Ordered(order),
            moved = self.line.wait(self.clock.as_ref()) => Next::Moved(moved),
        }
    }

    /// Begins the errand that waits longest, over a connection of its own.
    async fn begin_next(&mut self) {
        while self.under_way.is_none()
            && let Some(Asked { errand, limits, done }) = self.waiting.pop_front()
        {
            self.put_down().await;
            match SyncSession::begin(&mut self.home, errand, (self.clock)()) {
                Ok(session) => {
                    let address = session.server().clone();
                    let mut attempt = JoinSet::new();
                    attempt.spawn(async move { link::connect(&address, &limits).await });
                    self.line = Line::Dialling(Box::new(session), attempt);
                    let deadline = limits.whole.map(|whole| Instant::now() + whole);
                    self.under_way = Some(UnderWay { deadline, done });
                }
                // Whoever asked may have gone meanwhile.
                Err(error) => drop(done.send(Err(error.into()))),
            }
        }
    }

    fn write(&mut self, work: Box<dyn FnOnce(&mut Home) + Send>) -> Result<(), ClientError> {
        work(&mut self.home);
        self.change(Change::Home);
        if let Line::Up(pump) = &mut self.line {
            pump.take_written(&mut self.home, (self.clock)())?;
        }
        Ok(())
    }

    fn enqueue(&mut self, asked: Asked) {
        if self.waiting.len() < ERRANDS_MAX {
            self.waiting.push_back(asked);
        } else {
            drop(asked.done.send(Err(HomeError::Busy.into())));
        }
    }

    fn rebind(&self) -> Result<(), ClientError> {
        if let Line::Up(pump) = &self.line {
            pump.link().network_changed().map_err(ClientError::Unreachable)?;
        }
        Ok(())
    }

    fn take_moved(&mut self, moved: Moved) -> Result<(), ClientError> {
        match (moved, std::mem::replace(&mut self.line, Line::Down)) {
            (Moved::Linked(link), Line::Dialling(session, _)) => {
                let pump = Pump::begin(*session, *link, &mut self.home, (self.clock)())?;
                self.line = Line::Up(Box::new(pump));
            }
            (Moved::Arrived(arrival), Line::Up(mut pump)) => {
                let taken = pump.take(&mut self.home, arrival, (self.clock)());
                self.line = Line::Up(pump);
                taken?;
            }
            (Moved::Linked(_), Line::Down | Line::Up(_))
            | (Moved::Arrived(_), Line::Down | Line::Dialling(..)) => {
                unreachable!("a line moves as it stands")
            }
        }
        Ok(())
    }

    fn fill(&mut self) -> Result<(), ClientError> {
        if let Line::Up(pump) = &mut self.line {
            pump.fill(&mut self.home, (self.clock)())?;
        }
        Ok(())
    }

    /// Tells what the session has to tell; the errand under way ends with it.
    fn tell(&mut self) {
        while let Line::Up(pump) = &mut self.line
            && let Some(event) = pump.poll_event()
        {
            self.change(Change::Sync(event.clone()));
            if let Some(outcome) = end_of_errand(event) {
                self.change(Change::Home);
                if let Some(UnderWay { done, .. }) = self.under_way.take() {
                    drop(done.send(Ok(outcome)));
                }
            }
        }
    }

    fn change(&self, change: Change) {
        // Nobody has to follow.
        drop(self.changes.send(change));
    }

    /// Ends the connection, and with it the errand under way.
    async fn hang_up(&mut self, why: ClientError) {
        match self.under_way.take() {
            Some(UnderWay { done, .. }) => drop(done.send(Err(why))),
            None => self.change(Change::Offline),
        }
        self.put_down().await;
    }

    async fn put_down(&mut self) {
        if let Line::Up(pump) = std::mem::replace(&mut self.line, Line::Down) {
            pump.close().await;
        }
    }

    /// Ends the connection and lets go of the home; errands that wait are told by their answers never coming.
    async fn leave(mut self, close: impl FnOnce(Home)) {
        self.put_down().await;
        close(self.home);
    }
}
