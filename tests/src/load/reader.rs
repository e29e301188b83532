//! Reads documents as they come, and keeps of each what the comparison needs.

use std::{
    fs::File,
    io::{BufRead, BufReader},
    net::{IpAddr, SocketAddrV4},
    path::Path,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use serde::Deserialize;

use super::{
    expected_totals::{Reported, Transport},
    wire::Wire,
};

#[derive(Deserialize)]
struct Document<'a> {
    #[serde(borrow)]
    event: EventFields<'a>,
    flow: Option<Flow>,
    network: Option<Network<'a>>,
    #[serde(borrow)]
    source: Option<Side<'a>>,
    #[serde(borrow)]
    destination: Option<Side<'a>>,
    process: Option<Process>,
    system: Option<System>,
}

#[derive(Deserialize)]
struct EventFields<'a> {
    action: &'a str,
}

#[derive(Deserialize)]
struct Flow {
    #[serde(rename = "final")]
    is_final: bool,
}

#[derive(Deserialize)]
struct Network<'a> {
    direction: &'a str,
    transport: &'a str,
}

#[derive(Clone, Copy, Deserialize)]
struct Side<'a> {
    ip: IpAddr,
    port: u16,
    domain: Option<&'a str>,
    #[serde(default)]
    packets: u64,
    #[serde(default)]
    bytes: u64,
}

#[derive(Deserialize)]
struct Process {
    pid: u32,
}

#[derive(Deserialize)]
struct System {
    audit: Audit,
}

#[derive(Deserialize)]
struct Audit {
    socket: Socket,
}

#[derive(Deserialize)]
struct Socket {
    netns: Netns,
    tcp: Option<Tcp>,
}

#[derive(Deserialize)]
struct Netns {
    inode: u64,
}

#[derive(Deserialize)]
struct Tcp {
    #[serde(default)]
    retransmits: u64,
}

/// Gathers what is said of the flows of one network namespace, from a file that an agent appends to.
///
/// A pipe would not do: an agent waits for a reader that is slower than itself.
#[derive(Debug)]
pub(crate) struct Reader {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    reported: Mutex<Reported>,
    changed: Condvar,
    /// Whether nothing more will be written.
    ended: AtomicBool,
}

impl Reader {
    /// Follows a file; documents of other namespaces are passed over.
    pub(crate) fn follow(path: &Path, netns: u64) -> Result<Self> {
        let file = File::create(path).and_then(|_| File::open(path));
        let file = file.with_context(|| format!("making {}", path.display()))?;
        let shared = Arc::new(Shared::default());
        let reader = Arc::clone(&shared);
        let follow = move || reader.follow(BufReader::with_capacity(1 << 20, file), netns);
        let thread = thread::Builder::new().name("documents".to_owned()).spawn(follow)?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Documents that have come so far.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Reported> {
        self.shared.lock()
    }

    /// Waits until as many ends are known, or none has come for so long; how many there are.
    pub(crate) fn wait(&self, ends: usize, patience: Duration) -> usize {
        let mut reported = self.lock();
        let (mut last, mut since) = (reported.documents, Instant::now());
        while reported.ends.len() < ends && since.elapsed() < patience {
            let wait = self.shared.changed.wait_timeout(reported, Duration::from_millis(200));
            reported = wait.unwrap_or_else(PoisonError::into_inner).0;
            if reported.documents != last {
                (last, since) = (reported.documents, Instant::now());
            }
        }
        reported.ends.len()
    }

    /// Forgets everything, and returns it.
    pub(crate) fn take(&self) -> Reported {
        std::mem::take(&mut *self.lock())
    }

    /// Reads the rest: the agent has ended.
    pub(crate) fn end(&mut self) {
        self.shared.ended.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            // One that panicked has said why.
            let _ = thread.join();
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.end();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Reported> {
        self.reported.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn follow(&self, mut file: impl BufRead, netns: u64) {
        let mut line = Vec::new();
        loop {
            // Asked before the read, so that nothing is left behind.
            let ended = self.ended.load(Ordering::Acquire);
            match file.read_until(b'\n', &mut line) {
                Ok(0) if ended => break,
                Ok(0) => thread::sleep(Duration::from_millis(20)),
                // The rest of the line is on its way.
                Ok(_) if !line.ends_with(b"\n") => {}
                Ok(_) => {
                    self.line(&line, netns);
                    line.clear();
                }
                Err(error) => return self.lock().garbage.push(error.to_string()),
            }
        }
        if !line.is_empty() {
            self.lock().garbage.push("half a document at the end".to_owned());
        }
    }

    fn line(&self, line: &[u8], netns: u64) {
        let document = serde_json::from_slice::<Document<'_>>(line);
        let mut reported = self.lock();
        match document {
            Ok(document) if document.event.action == "network_flow" => {
                note(&mut reported, &document, netns);
            }
            // Documents of other kinds are not counted here.
            Ok(_) => {}
            Err(error) => {
                let line = String::from_utf8_lossy(line);
                reported.garbage.push(format!("{error}: {line}"));
            }
        }
        drop(reported);
        self.changed.notify_all();
    }
}

fn note(reported: &mut Reported, document: &Document<'_>, netns: u64) {
    let Document { flow, network, source, destination, process, system, .. } = document;
    let (Some(network), Some(source), Some(destination), Some(System { audit })) =
        (network, source, destination, system)
    else {
        return reported.garbage.push("a flow without ends".to_owned());
    };
    if audit.socket.netns.inode != netns {
        return;
    }
    // A record that is not final is repeated by a later one.
    if flow.as_ref().is_some_and(|flow| !flow.is_final) {
        return;
    }
    let (local, remote) = match network.direction {
        "ingress" => (destination, source),
        _ => (source, destination),
    };
    let (IpAddr::V4(here), IpAddr::V4(there)) = (local.ip, remote.ip) else {
        return reported.garbage.push("a flow over IPv6".to_owned());
    };
    let transport = if network.transport == "tcp" { Transport::Tcp } else { Transport::Udp };
    let key =
        (transport, SocketAddrV4::new(here, local.port), SocketAddrV4::new(there, remote.port));
    reported.documents += 1;
    let said = reported.ends.entry(key).or_default();
    said.documents += 1;
    said.pid = process.as_ref().map_or(0, |process| process.pid);
    if said.direction != network.direction {
        said.direction = network.direction.to_owned();
    }
    if let Some(domain) = remote.domain {
        said.domain = Some(domain.into());
    }
    said.retransmits += audit.socket.tcp.as_ref().map_or(0, |tcp| tcp.retransmits);
    let add = |wire: &mut Wire| {
        wire.packets_out += local.packets;
        wire.bytes_out += local.bytes;
        wire.packets_in += remote.packets;
        wire.bytes_in += remote.bytes;
    };
    add(&mut said.wire);
    add(&mut reported.wire);
}
