//! A tap on the wire: it stands between a device and a server, hands every datagram on, and counts.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How often a quiet tap looks whether it is to end.
const LOOK: Duration = Duration::from_millis(50);
const DATAGRAM_BYTES_MAX: usize = 65_536;

/// What went through.
#[derive(Debug, Default)]
struct Seen {
    up: AtomicU64,
    down: AtomicU64,
    datagrams: AtomicU64,
    ends: AtomicBool,
    /// Every datagram, where they are kept to be looked through.
    kept: Option<Mutex<Vec<u8>>>,
}

impl Seen {
    fn note(&self, bytes: &[u8], direction: &AtomicU64) {
        direction.fetch_add(u64::try_from(bytes.len()).expect("a datagram is short"), Ordering::Relaxed);
        self.datagrams.fetch_add(1, Ordering::Relaxed);
        if let Some(kept) = &self.kept {
            kept.lock().expect("no thread panics holding it").extend_from_slice(bytes);
        }
    }
}

/// A tap that runs until it is dropped.
#[derive(Debug)]
pub struct Tap {
    /// Where devices send to.
    pub address: SocketAddr,
    seen: Arc<Seen>,
    threads: Vec<JoinHandle<()>>,
}

impl Tap {
    /// Stands before a server; with `keeps` every datagram is kept to be looked through.
    pub fn before(server: SocketAddr, keeps: bool) -> io::Result<Self> {
        let front = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        front.set_read_timeout(Some(LOOK))?;
        let address = front.local_addr()?;
        let kept = keeps.then(Mutex::default);
        let seen = Arc::new(Seen { kept, ..Seen::default() });
        let inside = Arc::clone(&seen);
        let thread = thread::spawn(move || carry(&front, server, &inside));
        Ok(Self { address, seen, threads: vec![thread] })
    }

    /// Bytes of UDP payload that devices sent and that the server sent, and how many datagrams that were.
    pub fn counted(&self) -> (u64, u64, u64) {
        let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
        (load(&self.seen.up), load(&self.seen.down), load(&self.seen.datagrams))
    }

    /// Everything that went through, where it was kept.
    pub fn captured(&self) -> Vec<u8> {
        self.seen
            .kept
            .as_ref()
            .map(|kept| kept.lock().expect("no thread panics holding it").clone())
            .unwrap_or_default()
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.seen.ends.store(true, Ordering::Relaxed);
        self.threads.drain(..).for_each(|thread| drop(thread.join()));
    }
}

fn carry(front: &UdpSocket, server: SocketAddr, seen: &Arc<Seen>) {
    let mut backs: HashMap<SocketAddr, Arc<UdpSocket>> = HashMap::new();
    let mut threads = Vec::new();
    let mut buffer = vec![0; DATAGRAM_BYTES_MAX];
    while !seen.ends.load(Ordering::Relaxed) {
        let Ok((length, from)) = front.recv_from(&mut buffer) else { continue };
        let datagram = &buffer[..length];
        seen.note(datagram, &seen.up);
        let back = match backs.get(&from) {
            Some(back) => back,
            None => {
                let back = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).map(Arc::new);
                let (Ok(back), Ok(front)) = (back, front.try_clone()) else { continue };
                let (told, seen) = (Arc::clone(&back), Arc::clone(seen));
                threads.push(thread::spawn(move || carry_back(&told, &front, from, &seen)));
                backs.entry(from).or_insert(back)
            }
        };
        // A datagram that is lost is QUIC's to send again.
        let _ = back.send_to(datagram, server);
    }
    threads.into_iter().for_each(|thread| drop(thread.join()));
}

fn carry_back(back: &UdpSocket, front: &UdpSocket, to: SocketAddr, seen: &Seen) {
    let mut buffer = vec![0; DATAGRAM_BYTES_MAX];
    if back.set_read_timeout(Some(LOOK)).is_err() {
        return;
    }
    while !seen.ends.load(Ordering::Relaxed) {
        if let Ok((length, _)) = back.recv_from(&mut buffer) {
            let datagram = &buffer[..length];
            seen.note(datagram, &seen.down);
            let _ = front.send_to(datagram, to);
        }
    }
}
