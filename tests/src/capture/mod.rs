//! A packet capture of our own: the judge of packets and bytes.
//!
//! It counts IP packets and IP total lengths per direction and tuple at one interface. A buffer that
//! offloads made of several segments counts as those segments, each with its headers. A capture that
//! lost a packet refuses to judge.

mod packet;
mod socket;
mod tally;

use std::{
    net::SocketAddr,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, bail, ensure};
use serde::{Deserialize, Serialize};

use self::{socket::Tap, tally::Tally};
use crate::net::{Netns, link};

/// How long packets are let gather before they are read.
const LOT: Duration = Duration::from_millis(5);

/// The transport of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Transport {
    /// Transmission Control Protocol.
    Tcp,
    /// User Datagram Protocol.
    Udp,
}

/// Packets one way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// IP packets; segments where a buffer held several.
    pub packets: u64,
    /// Sum of the IP total lengths, headers included.
    pub bytes: u64,
    /// TCP segments sent again: they carry nothing that was not seen before.
    pub retransmits: u64,
    /// TCP segments with SYN.
    pub syns: u64,
    /// TCP segments with FIN.
    pub fins: u64,
    /// TCP segments with RST.
    pub resets: u64,
}

impl Count {
    /// Packets and bytes after `earlier` was read.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        let Self { packets, bytes, retransmits, syns, fins, resets } = self;
        Self {
            packets: packets - earlier.packets,
            bytes: bytes - earlier.bytes,
            retransmits: retransmits - earlier.retransmits,
            syns: syns - earlier.syns,
            fins: fins - earlier.fins,
            resets: resets - earlier.resets,
        }
    }
}

/// What the interface saw of one conversation, from the side of the local end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// From the local end.
    pub sent: Count,
    /// To the local end.
    pub received: Count,
}

impl Seen {
    /// Packets and bytes after `earlier` was read.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        Self {
            sent: self.sent.since(earlier.sent),
            received: self.received.since(earlier.received),
        }
    }
}

/// A running capture at one interface.
#[derive(Debug)]
pub struct Capture {
    shared: Arc<Shared>,
    reader: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    tap: Tap,
    /// MTU of the interface, bytes.
    mtu: u16,
    state: Mutex<State>,
    arrived: Condvar,
    stop: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    tally: Tally,
    dropped: u64,
    broken: Option<String>,
}

impl Capture {
    /// Captures at `interface` of `netns`.
    ///
    /// Needs `CAP_NET_RAW`.
    pub fn start(netns: &Netns, interface: &str) -> Result<Self> {
        let (tap, mtu) = netns
            .run(|| Ok((Tap::open(link::index(interface)?)?, link::mtu(interface)?)))
            .with_context(|| format!("capturing at {interface}"))?;
        let shared = Arc::new(Shared {
            tap,
            mtu,
            state: Mutex::default(),
            arrived: Condvar::new(),
            stop: AtomicBool::new(false),
        });
        let reader = thread::Builder::new().name("capture".to_owned()).spawn({
            let shared = Arc::clone(&shared);
            move || shared.read()
        })?;
        Ok(Self { shared, reader: Some(reader) })
    }

    /// What was captured so far of a conversation, everything queued included.
    ///
    /// # Errors
    /// If the capture lost a packet or met one it cannot count.
    pub fn seen(
        &self,
        transport: Transport,
        local: SocketAddr,
        remote: SocketAddr,
    ) -> Result<Seen> {
        self.seen_until(transport, local, remote, Duration::MAX)
    }

    /// As [`Capture::seen`], without packets that came after `limit`, wall time, once a side had
    /// begun to close a TCP connection.
    pub fn seen_until(
        &self,
        transport: Transport,
        local: SocketAddr,
        remote: SocketAddr,
        limit: Duration,
    ) -> Result<Seen> {
        let mut state = self.shared.lock();
        self.shared.drain(&mut state);
        state.verdict()?;
        Ok(state.tally.seen(transport, local, remote, limit))
    }

    /// Waits until what was seen of a conversation satisfies `done`, and returns it.
    pub fn wait(
        &self,
        (transport, local, remote): (Transport, SocketAddr, SocketAddr),
        limit: Duration,
        what: &str,
        done: impl Fn(&Seen) -> bool,
    ) -> Result<Seen> {
        let find = |tally: &Tally| {
            let seen = tally.seen(transport, local, remote, Duration::MAX);
            if done(&seen) { Ok(seen) } else { Err(seen) }
        };
        self.wait_until(limit, find)?
            .map_err(|seen| anyhow!("the capture never showed {what} ({local} {remote}): {seen:?}"))
    }

    /// Waits until a conversation with a local end satisfies `is_it`, and returns its remote end.
    pub fn wait_for_remote(
        &self,
        (transport, local): (Transport, SocketAddr),
        limit: Duration,
        what: &str,
        is_it: impl Fn(SocketAddr, &Seen) -> bool,
    ) -> Result<SocketAddr> {
        let find = |tally: &Tally| {
            let mut remotes = tally.remotes(transport, local);
            let found = remotes.find(|remote| {
                is_it(*remote, &tally.seen(transport, local, *remote, Duration::MAX))
            });
            found.ok_or(())
        };
        let found = self.wait_until(limit, find)?;
        found.map_err(|()| anyhow!("the capture never showed {what} ({local})"))
    }

    /// Looks for something as long as packets come, up to `limit`; what was found last.
    fn wait_until<T, E>(
        &self,
        limit: Duration,
        find: impl Fn(&Tally) -> Result<T, E>,
    ) -> Result<Result<T, E>> {
        let deadline = Instant::now() + limit;
        let mut state = self.shared.lock();
        loop {
            state.verdict()?;
            let found = find(&state.tally);
            let left = deadline.saturating_duration_since(Instant::now());
            if found.is_ok() || left.is_zero() {
                return Ok(found);
            }
            state = self
                .shared
                .arrived
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        if let Some(reader) = self.reader.take() {
            // A reader that panicked has nothing more to say.
            let _ = reader.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read(&self) {
        while !self.stop.load(Ordering::Relaxed) {
            let ready = self.tap.wait(Duration::from_millis(100));
            let came = matches!(ready, Ok(true));
            let mut state = self.lock();
            match ready {
                Ok(true) => self.drain(&mut state),
                Ok(false) => {}
                Err(error) => state.broken = Some(format!("waiting for packets: {error}")),
            }
            let stop = state.broken.is_some();
            drop(state);
            self.arrived.notify_all();
            if stop {
                return;
            }
            if came {
                // More is likely to come: packets are read by lots, not one by one. Who wants to know what was
                // captured reads for himself.
                thread::sleep(LOT);
            }
        }
    }

    fn drain(&self, state: &mut State) {
        loop {
            match self.tap.receive() {
                Ok(Some(frame)) => {
                    if let Err(error) = state.tally.add(&frame, self.mtu) {
                        state.broken = Some(format!("{error:#}"));
                    }
                }
                Ok(None) => break,
                Err(error) => {
                    state.broken = Some(format!("reading packets: {error}"));
                    break;
                }
            }
        }
        match self.tap.take_drops() {
            Ok(drops) => state.dropped += u64::from(drops),
            Err(error) => state.broken = Some(format!("reading the drop counter: {error}")),
        }
    }
}

impl State {
    fn verdict(&self) -> Result<()> {
        if let Some(reason) = &self.broken {
            bail!("invalid capture: {reason}");
        }
        ensure!(self.dropped == 0, "invalid capture: it dropped {} packets", self.dropped);
        Ok(())
    }
}
