//! A sync server in this process, on a thread of its own.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::thread::{self, JoinHandle};

use thicket_protocol::address::ServerAddress;
use thicket_sync_server::{Config, Server};
use tokio::sync::oneshot;

use super::verbs::Failure;

/// A server that runs until it is dropped.
#[derive(Debug)]
pub struct Relay {
    /// What devices are told.
    pub url: ServerAddress,
    /// Where it listens.
    pub address: SocketAddr,
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Relay {
    /// Starts on a new folder.
    pub fn start(folder: PathBuf) -> Result<Self, Failure> {
        let (end, ended) = oneshot::channel();
        let (told, tell) = std::sync::mpsc::channel();
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime for the server").block_on(async {
                let listen = (Ipv4Addr::LOCALHOST, 0).into();
                let started = Server::start(Config { folder, listen }).await;
                match started {
                    Ok(running) => {
                        let at = (running.address(), running.url().to_owned());
                        if told.send(Ok(at)).is_ok() {
                            // Dropping the other end is how it is told.
                            let _ = ended.await;
                        }
                        running.shutdown().await;
                    }
                    Err(error) => drop(told.send(Err(error.to_string()))),
                }
            });
        });
        let (address, url) = tell.recv()??;
        Ok(Self { url: url.parse()?, address, end: Some(end), thread: Some(thread) })
    }

    /// The address of something that stands before it.
    pub fn behind(&self, address: SocketAddr) -> ServerAddress {
        ServerAddress { host: address.ip().to_string(), port: address.port(), key: self.url.key }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}
