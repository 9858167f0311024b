//! A keeper and its thread, without a server.

use std::sync::Arc;

use tempfile::TempDir;
use thicket_core::entropy::SystemEntropy;
use thicket_core::home::{Founding, Home, HomeError, NotResumed};
use thicket_core::ring::Wrapping;
use thicket_core::secret::WrappingKey;
use thicket_core::sync::Errand;
use thicket_core::time::Moment;
use thicket_protocol::governance::Realm;

use crate::keeper::{Change, Keeper, OwnedClock};
use crate::{ClientError, Limits};

fn now() -> Moment {
    Moment::new(1_800_000_000_000, 60).expect("a day of 2027")
}

fn wrapping() -> Wrapping<'static> {
    Wrapping::Key(WrappingKey::from_bytes([7; 32]))
}

fn home() -> (TempDir, Home) {
    let name = |text: &str| text.parse().expect("a name");
    let founding = Founding {
        team: name("Team"),
        member: name("Ada"),
        device: name("Desk"),
        notebook: name("Study"),
        realm: Realm::Research,
    };
    let folder = TempDir::new().expect("a folder");
    let entropy = Box::new(SystemEntropy::new());
    let (home, _) = Home::init(folder.path(), wrapping(), &founding, now(), entropy).expect("a home");
    (folder, home)
}

fn keeper() -> (TempDir, Keeper) {
    let (folder, home) = home();
    let clock: OwnedClock = Arc::new(now);
    (folder, Keeper::start(home, clock).expect("a thread"))
}

#[tokio::test]
async fn a_write_is_told_and_a_read_is_not() {
    let (_folder, keeper) = keeper();
    let mut feed = keeper.feed();
    let device = keeper.read(Home::device).await.expect("it is open");
    assert_eq!(keeper.write(|home| home.device()).await.expect("it is open"), device);
    assert_eq!(feed.next().await, Some(Change::Home));
    keeper.close().await.expect("it locks");
    assert_eq!(feed.next().await, None);
}

#[tokio::test]
async fn a_closed_home_can_be_opened_again_at_once() {
    let (folder, keeper) = keeper();
    keeper.close().await.expect("it locks");
    Home::open(folder.path(), wrapping(), now(), Box::new(SystemEntropy::new())).expect("nobody holds it");
}

#[tokio::test]
async fn a_home_without_a_server_keeps_its_errand_for_later() {
    let (_folder, keeper) = keeper();
    let error = keeper.sync(Errand::Sync, Limits::default()).await.expect_err("there is no server");
    assert!(!error.passes(), "{error:?}");
    keeper.read(Home::device).await.expect("it is still open");
}

#[tokio::test]
async fn work_that_falls_closes_the_home_and_hangs_nobody() {
    let (_folder, keeper) = keeper();
    let mut feed = keeper.feed();
    let fallen = keeper.write::<()>(|_| panic!("on purpose")).await;
    assert!(matches!(fallen, Err(ClientError::Closed)), "{fallen:?}");
    assert_eq!(feed.next().await, None);
    assert_eq!(keeper.feed().next().await, None);
    let after = keeper.read(Home::device).await;
    assert!(matches!(after, Err(ClientError::Closed)), "{after:?}");
}

#[test]
fn a_paused_home_that_another_has_open_is_handed_back() {
    let (folder, home) = home();
    let device = home.device();
    let paused = home.pause().expect("it pauses");
    let other =
        Home::open(folder.path(), wrapping(), now(), Box::new(SystemEntropy::new())).expect("it is free");
    let Err(NotResumed::Busy(paused)) = paused.resume(now()) else { panic!("another has it open") };
    other.lock().expect("it locks");
    assert_eq!(paused.resume(now()).expect("nobody has it any more").device(), device);
}

#[test]
fn what_passes_is_tried_again_and_what_does_not_is_told() {
    assert!(ClientError::WrongServerKey.passes());
    assert!(ClientError::Home(HomeError::Busy).passes());
    assert!(!ClientError::Home(HomeError::Locked).passes());
    assert!(!ClientError::Closed.passes());
}
