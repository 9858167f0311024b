//! A keeper and its thread, without a server.

use std::net::UdpSocket;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use thicket_core::entropy::SystemEntropy;
use thicket_core::home::{Home, HomeError, NotResumed};
use thicket_core::sync::Errand;
use thicket_protocol::address::ServerAddress;
use tokio::task::JoinSet;

use crate::fixture::{OURS, home, now, public_key, wrapping};
use crate::keeper::{CHANGES_MAX, Change, ERRANDS_MAX, Keeper, OwnedClock};
use crate::{ClientError, Limits};

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
async fn whoever_is_too_slow_for_the_feed_is_told_to_read_again() {
    let (_folder, keeper) = keeper();
    let (mut keeps_up, mut falls_behind) = (keeper.feed(), keeper.feed());
    for _ in 0..CHANGES_MAX {
        keeper.write(|_| ()).await.expect("it is open");
    }
    for _ in 0..CHANGES_MAX {
        assert_eq!(keeps_up.next().await, Some(Change::Home));
    }
    keeper.write(|_| ()).await.expect("it is open");
    keeper.close().await.expect("it locks");
    assert_eq!(keeps_up.next().await, Some(Change::Home));
    assert_eq!(keeps_up.next().await, None);
    let mut told = 0;
    while let Some(change) = falls_behind.next().await {
        assert_eq!(change, Change::Home);
        told += 1;
    }
    assert_eq!(told, CHANGES_MAX + 1, "one for what was missed, and all that was kept");
}

#[tokio::test]
async fn errands_beyond_the_limit_are_refused_and_closing_ends_those_that_wait() {
    let silent = UdpSocket::bind("127.0.0.1:0").expect("a port is free");
    let port = silent.local_addr().expect("it is bound").port();
    let address = ServerAddress { host: "127.0.0.1".to_owned(), port, key: public_key(&OURS) };
    let (_folder, keeper) = keeper();
    let set = keeper.write(move |home| home.use_server(&address, now())).await.expect("it is open");
    set.expect("no server knows the team");
    let limits = Limits { connect: Duration::from_secs(600), whole: None };
    let keeper = Arc::new(keeper);
    let mut errands = JoinSet::new();
    // One is under way and the rest wait.
    for _ in 0..=ERRANDS_MAX {
        let keeper = Arc::clone(&keeper);
        errands.spawn(async move { keeper.sync(Errand::Sync, limits).await });
        tokio::task::yield_now().await;
    }
    // Behind this read, everything before it was ordered.
    keeper.read(Home::device).await.expect("calls go on while an errand is under way");
    let refused = keeper.sync(Errand::Sync, limits).await;
    assert!(matches!(refused, Err(ClientError::Home(HomeError::Busy))), "{refused:?}");
    let (closed, _) = tokio::join!(keeper.close(), async {
        while let Some(ended) = errands.join_next().await {
            let ended = ended.expect("it does not fall");
            assert!(matches!(ended, Err(ClientError::Closed)), "{ended:?}");
        }
    });
    closed.expect("it locks");
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

#[tokio::test]
async fn an_app_in_the_background_lets_go_of_its_files_and_comes_back() {
    let (folder, keeper) = keeper();
    let device = keeper.read(Home::device).await.expect("it is open");
    let paused = keeper.pause().await.expect("it pauses");
    let other =
        Home::open(folder.path(), wrapping(), now(), Box::new(SystemEntropy::new())).expect("it is free");
    drop(other);
    let keeper = Keeper::start(paused.resume(now()).expect("it is free"), Arc::new(now)).expect("a thread");
    assert_eq!(keeper.read(Home::device).await.expect("it is open"), device);
}
