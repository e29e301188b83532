//! What a load has done, held against what the agent says of it.

use std::{
    collections::HashMap,
    fmt,
    net::{Ipv4Addr, SocketAddrV4},
};

use super::{names::name_of, wire::Wire, worker::Ends};

/// One end of a connection, or of a UDP conversation: transport, local, remote.
type EndKey = (Transport, SocketAddrV4, SocketAddrV4);

/// Transport protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Transport {
    Tcp,
    Udp,
}

/// What one end has done, as far as the load knows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct End {
    pub(crate) transport: Transport,
    pub(crate) ends: Ends,
    pub(crate) pid: u32,
    /// `network.direction`.
    pub(crate) direction: &'static str,
    /// Payload that this end sent and received. Of TCP.
    pub(crate) payload: [u64; 2],
    /// Packets and bytes that this end sent, where they are known: of UDP.
    pub(crate) sent: Option<(u64, u64)>,
    /// Whether the remote address has been asked for by name.
    pub(crate) named: bool,
}

/// All documents of one end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Said {
    pub(crate) documents: u32,
    pub(crate) pid: u32,
    pub(crate) direction: String,
    pub(crate) retransmits: u64,
    pub(crate) wire: Wire,
    /// Name of the remote end.
    pub(crate) domain: Option<Box<str>>,
}

/// What the agent has said of one namespace.
#[derive(Debug, Default)]
pub(crate) struct Reported {
    pub(crate) ends: HashMap<EndKey, Said>,
    /// Sum over all documents.
    pub(crate) wire: Wire,
    pub(crate) documents: u64,
    /// Lines that are no flow document.
    pub(crate) garbage: Vec<String>,
}

/// How many ends are wrong, and the first of them.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    pub(crate) wrong: u64,
    examples: Vec<String>,
    /// Ends of which other packets were said than the load, or the other end, knows of. Right only
    /// where losses were counted.
    pub(crate) uneven: u64,
    pub(crate) first_uneven: String,
    /// Ends of which nothing was said.
    pub(crate) missing: u64,
    /// Ends that should have had a name and have none.
    pub(crate) unnamed: u64,
}

const EXAMPLES: usize = 3;
/// Bytes of an IPv4 and a TCP header with timestamps, which every segment but SYN and reset has.
const HEADERS: u64 = 52;
/// Bytes that the options of a SYN add to that.
const SYN: u64 = 8;
/// What a reset lacks that answers for a socket which is gone: it has no options. Where more sockets than
/// the kernel keeps wait for the end of TIME_WAIT, a FIN that is late is answered so.
const RESET: u64 = 12;

impl Findings {
    pub(crate) fn add(&mut self, what: impl fmt::Display) {
        self.wrong += 1;
        if self.examples.len() < EXAMPLES {
            self.examples.push(what.to_string());
        }
    }

    /// The first few, on one line.
    pub(crate) fn examples(&self) -> String {
        self.examples.join("; ")
    }
}

/// Compares all ends of a load with what was said of them.
pub(crate) fn compare(ends: &[End], reported: &Reported) -> Findings {
    let mut findings = Findings::default();
    let mut known: HashMap<EndKey, ()> = HashMap::with_capacity(ends.len());
    for end in ends {
        let (local, remote) = end.ends;
        known.insert((end.transport, local, remote), ());
        let Some(said) = reported.ends.get(&(end.transport, local, remote)) else {
            findings.missing += 1;
            continue;
        };
        let other = reported.ends.get(&(end.transport, remote, local));
        for wrong in differences(end, said) {
            findings.add(format_args!("{:?} {local} {remote}: {wrong}", end.transport));
        }
        findings.unnamed += u64::from(end.named && said.domain.is_none());
        if let Some(wrong) = traffic(end, said, other) {
            findings.uneven += 1;
            if findings.uneven == 1 {
                findings.first_uneven = format!("{:?} {local} {remote}: {wrong}", end.transport);
            }
        }
    }
    for (key, said) in &reported.ends {
        if !known.contains_key(key) {
            findings.add(format_args!("said but not done: {key:?} {said:?}"));
        }
    }
    for line in &reported.garbage {
        findings.add(format_args!("not a flow document: {line:.200}"));
    }
    findings
}

fn differences(end: &End, said: &Said) -> Vec<String> {
    let mut wrong = Vec::new();
    if said.documents != 1 {
        wrong.push(format!("{} documents", said.documents));
    }
    if said.pid != end.pid {
        wrong.push(format!("pid {}, should be {}", said.pid, end.pid));
    }
    if said.direction != end.direction {
        wrong.push(format!("{}, should be {}", said.direction, end.direction));
    }
    let (_, remote) = end.ends;
    let name = end.named.then(|| name_of(*remote.ip()));
    if let Some(domain) = said.domain.as_deref().filter(|domain| Some(*domain) != name.as_deref()) {
        wrong.push(format!("named {domain}, should be {name:?}"));
    }
    wrong
}

/// Packets and bytes of UDP are known. Of TCP: on the way between two ends nothing is lost, so each
/// received what the other sent; and without a repetition the bytes of an end follow from its packets:
/// headers, one SYN, payload, and at most one reset.
fn traffic(end: &End, said: &Said, other: Option<&Said>) -> Option<String> {
    let Wire { packets_out, bytes_out, packets_in, bytes_in } = said.wire;
    if let Some(sent) = end.sent {
        let out = (packets_out, bytes_out);
        return (out != sent).then(|| format!("sent {out:?}, should be {sent:?}"));
    }
    let other = other?;
    let sent = (other.wire.packets_out, other.wire.bytes_out);
    if (packets_in, bytes_in) != sent {
        return Some(format!("received {:?}, {sent:?} were sent", (packets_in, bytes_in)));
    }
    let [sent, received] = end.payload;
    let expected = |packets: u64, payload| packets * HEADERS + SYN + payload;
    let fits = |bytes, packets, payload| {
        let expected = expected(packets, payload);
        bytes == expected || bytes + RESET == expected
    };
    let right = fits(bytes_out, packets_out, sent) && fits(bytes_in, packets_in, received);
    if right || said.retransmits + other.retransmits > 0 {
        return None;
    }
    Some(format!(
        "{packets_out} packets are {bytes_out} bytes, {packets_in} are {bytes_in}, with a payload of \
         {sent} and {received}"
    ))
}

impl End {
    /// The two ends of a connection from client to server with their processes.
    pub(crate) fn both(ends: Ends, client: u32, server: u32, payload: [u64; 2]) -> [Self; 2] {
        let (here, there) = ends;
        let end = |ends, pid, direction, payload| Self {
            transport: Transport::Tcp,
            ends,
            pid,
            direction,
            payload,
            sent: None,
            named: false,
        };
        [
            end((here, there), client, "egress", payload),
            end((there, here), server, "ingress", [payload[1], payload[0]]),
        ]
    }
}

/// The address a worker's server listens on.
pub(crate) const SERVER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
