//! The sockets of a server: QUIC around [`ServerSession`](crate::ServerSession), one thread for the store.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use quinn::{Endpoint, TokioRuntime, VarInt};
use ring::rand::{SecureRandom, SystemRandom};
use thicket_protocol::address::ServerAddress;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;

use crate::limits::{CONNECTIONS_MAX, DRAIN_TIMEOUT_MS, GROUP_FRAMES_MAX, HANDSHAKES_UNPROVEN_MAX};
use crate::store::{Store, StoreError};

mod desk;
mod handshakes;
mod line;
mod tls;

use desk::{Desk, ToDesk};
use handshakes::Handshakes;

/// What a server is started with.
#[derive(Debug, Clone)]
pub struct Config {
    /// The folder of its data.
    pub folder: PathBuf,
    /// Where it listens; port 0 picks a free one.
    pub listen: SocketAddr,
}

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// Its data cannot be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// The way to a running server.
#[derive(Debug)]
pub struct Server(());

impl Server {
    /// Opens the folder and listens; call it inside a tokio runtime with time and I/O.
    pub async fn start(config: Config) -> Result<Running, StartError> {
        let Config { folder, listen } = config;
        let opening = tokio::task::spawn_blocking(move || {
            let mut fill = |out: &mut [u8]| {
                // Without randomness no key may be made; going on would be worse than stopping.
                SystemRandom::new().fill(out).expect("the operating system gives randomness");
            };
            Store::open(&folder, &mut fill)
        });
        let store = opening.await.expect("opening a store does not panic")?;
        let place = |source| StartError::Listen { address: listen, source };
        let socket = std::net::UdpSocket::bind(listen).map_err(place)?;
        let address = socket.local_addr().map_err(place)?;
        let config = tls::server_config(store.seed(), &store.public_key());
        let runtime = std::sync::Arc::new(TokioRuntime);
        let endpoint = Endpoint::new(tls::endpoint_config(store.seed()), Some(config), socket, runtime)
            .map_err(place)?;
        let url = ServerAddress { host: host(&address), port: address.port(), key: store.public_key() };
        let (to_desk, requests) = mpsc::channel(GROUP_FRAMES_MAX);
        let desk = thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || Desk::new(store).run(requests))
            .map_err(place)?;
        let (stop, stopped) = watch::channel(false);
        let accepting = tokio::spawn(accept(endpoint, to_desk, stopped));
        tracing::info!(%address, "listening");
        Ok(Running { address, url: url.to_string(), stop, accepting: Some(accepting), desk: Some(desk) })
    }
}

fn host(address: &SocketAddr) -> String {
    match address {
        SocketAddr::V4(address) => address.ip().to_string(),
        SocketAddr::V6(address) => format!("[{}]", address.ip()),
    }
}

/// A server that runs until it is shut down or dropped; only a shutdown drains.
#[derive(Debug)]
pub struct Running {
    address: SocketAddr,
    url: String,
    stop: watch::Sender<bool>,
    accepting: Option<JoinHandle<()>>,
    desk: Option<thread::JoinHandle<()>>,
}

impl Running {
    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// What devices are told: `thicket://HOST:PORT/KEY`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Waits until the server ends by itself, which it does only by a fault.
    pub async fn failed(&mut self) {
        if let Some(accepting) = &mut self.accepting {
            // How it ended is in the log; that it ended is all that counts.
            let _ = accepting.await;
            self.accepting = None;
        }
    }

    /// Stops accepting, tells every device, finishes what was received, and closes.
    pub async fn shutdown(mut self) {
        // Nobody is left to be told only where the server has ended by itself.
        let _ = self.stop.send(true);
        if let Some(accepting) = self.accepting.take()
            && let Err(error) = accepting.await
        {
            tracing::error!(%error, "the accepting task failed");
        }
        if let Some(desk) = self.desk.take() {
            let ended = tokio::task::spawn_blocking(move || desk.join()).await;
            if !matches!(ended, Ok(Ok(()))) {
                tracing::error!("the store's thread failed");
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // The store's thread ends when the last sender, which the tasks hold, is gone.
        if let Some(accepting) = &self.accepting {
            accepting.abort();
        }
    }
}

/// Accepts connections until it is told to stop; owns their tasks.
async fn accept(endpoint: Endpoint, to_desk: mpsc::Sender<ToDesk>, mut stopped: watch::Receiver<bool>) {
    let mut lines = JoinSet::new();
    let mut handshakes = Handshakes::new();
    let mut number = 0;
    loop {
        tokio::select! {
            incoming = endpoint.accept() => {
                let Some(incoming) = incoming else { break };
                let is_proven = incoming.remote_address_validated();
                let busy = handshakes.under_way() >= HANDSHAKES_UNPROVEN_MAX;
                let fits = (is_proven || !busy) && lines.len() < CONNECTIONS_MAX;
                if fits && handshakes.admits(incoming.remote_address().ip(), is_proven) {
                    number += 1;
                    lines.spawn(line::serve(incoming, number, to_desk.clone(), handshakes.begin()));
                } else if incoming.may_retry() {
                    // Whoever forged the address does not get this answer.
                    if incoming.retry().is_err() {
                        tracing::debug!("a retry was refused");
                    }
                } else {
                    incoming.refuse();
                }
            }
            Some(_) = lines.join_next(), if !lines.is_empty() => {}
            _ = stopped.changed() => break,
            () = to_desk.closed() => {
                tracing::error!("the store's thread has ended");
                break;
            }
        }
    }
    endpoint.set_server_config(None);
    let drain = Duration::from_millis(DRAIN_TIMEOUT_MS);
    let finish = async {
        // It is gone only where there is nothing to finish.
        let _ = to_desk.send(ToDesk::Drain).await;
        while lines.join_next().await.is_some() {}
    };
    if timeout(drain, finish).await.is_err() {
        tracing::warn!(connections = lines.len(), "stopped before every device was ready");
    }
    lines.shutdown().await;
    endpoint.close(VarInt::from_u32(line::CLOSE_DONE), b"stopped");
    // Peers that do not answer any more are not waited for.
    let _ = timeout(Duration::from_secs(1), endpoint.wait_idle()).await;
}
