//! The sync server of Thicket: a blind relay. It orders governance entries, keys as they travel, and batches of records
//! for each team, judges who may put and fetch what, and can open none of it.
//!
//! [`ServerSession`] is one connection without its socket: frames in, frames out, over a [`Store`]. [`Server`] puts
//! sockets around it.
//!
//! ```
//! use thicket_sync_server::{Config, Server};
//!
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! let folder = tempfile::TempDir::new()?;
//! let listen = ([127, 0, 0, 1], 0).into();
//! let running = Server::start(Config { folder: folder.path().to_path_buf(), listen }).await?;
//! // What a team's first device is told, and every later one by its invite.
//! assert!(running.url().starts_with("thicket://127.0.0.1:"));
//! running.shutdown().await;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod limits;
mod server;
mod session;
mod store;

pub use server::{Config, Running, Server, StartError};
pub use session::{Hint, Readers, ServerSession};
pub use store::{Kept, SpaceState, Store, StoreError};
