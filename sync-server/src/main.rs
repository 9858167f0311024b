//! The sync server of Thicket, as a program.

use std::error::Error;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use thicket_sync_server::{Config, Running, Server, StartError, StoreError};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Runs a sync server: it keeps, orders and hands on what a team's devices seal, and can read none of it.
///
/// When it is ready it prints one line of JSON, `{"listening":"ADDR:PORT","url":"thicket://ADDR:PORT/KEY"}`, on standard
/// output; the URL is what `thicket server use` takes. Logs go to standard error: ids, counts and durations, never content.
/// SIGTERM and SIGINT stop it: it finishes what it has received, tells every device, and exits 0.
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "Exit status: 0 stopped as asked, 1 a fault in Thicket, 2 usage or an address that is not this \
machine's, 6 damaged data, 9 the folder or the address is in use, 10 the disk is full or cannot be written.

Examples:
  thicket-sync-server --data /var/lib/thicket --listen 0.0.0.0:7440
  thicket-sync-server --data ./data --listen 127.0.0.1:0 --log-format json"
)]
struct Arguments {
    /// The folder of the server's data; made where there is none. It always proves the same key
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Where to listen; port 0 picks a free one
    #[arg(long, value_name = "ADDR:PORT")]
    listen: SocketAddr,
    /// How to write the log
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    log_format: LogFormat,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum LogFormat {
    /// One line of text an event.
    Text,
    /// One JSON object an event.
    Json,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let log = tracing_subscriber::fmt().with_writer(io::stderr).with_ansi(false);
    match arguments.log_format {
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().flatten_event(true).init(),
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error, 1),
    };
    runtime.block_on(run(Config { folder: arguments.data, listen: arguments.listen }))
}

async fn run(config: Config) -> ExitCode {
    // Before the ready line: whoever has read it may stop the server at once.
    let (mut terminated, mut interrupted) = match stop_signals() {
        Ok(signals) => signals,
        Err(error) => return fail(&error, 1),
    };
    let mut running = match Server::start(config).await {
        Ok(running) => running,
        Err(error) => return fail(&error, code(&error)),
    };
    if let Err(error) = say_ready(&running) {
        return fail(&error, 10);
    }
    tokio::select! {
        _ = terminated.recv() => {}
        _ = interrupted.recv() => {}
        () = running.failed() => return ExitCode::from(1),
    }
    tracing::info!("stopping");
    running.shutdown().await;
    tracing::info!("stopped");
    ExitCode::SUCCESS
}

fn stop_signals() -> io::Result<(Signal, Signal)> {
    Ok((signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?))
}

fn say_ready(running: &Running) -> io::Result<()> {
    // Neither an address nor a URL has a character that JSON would escape.
    let mut out = io::stdout().lock();
    writeln!(out, "{{\"listening\":\"{}\",\"url\":\"{}\"}}", running.address(), running.url())?;
    out.flush()
}

/// The exit status of a start that failed, as for the `thicket` command.
fn code(error: &StartError) -> u8 {
    match error {
        StartError::Store(error) if error.is_damage() => 6,
        StartError::Store(StoreError::Busy { .. }) => 9,
        StartError::Listen { source, .. } if source.kind() == io::ErrorKind::AddrInUse => 9,
        StartError::Listen { .. } | StartError::Store(StoreError::Newer { .. }) => 2,
        StartError::Store(_) | _ => 10,
    }
}

fn fail(error: &dyn Error, code: u8) -> ExitCode {
    let mut text = format!("thicket-sync-server: {error}");
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    // Standard error may be closed; the exit status still tells.
    let _ = writeln!(io::stderr(), "{text}");
    ExitCode::from(code)
}
