//! A document against the truth.

use std::{
    fmt::{Debug, Display},
    time::{Duration, SystemTime},
};

use super::Side;
use crate::{
    agent::Doc,
    capture::{Count, Seen, Transport},
    expect::Direction,
    worker::executable,
};

/// A wall clock may be set while a run lasts; a wrong unit or epoch is far beyond this.
const CLOCK_SLACK: Duration = Duration::from_secs(3 * 3600);

/// What holds for all documents of an agent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Given {
    /// Start of the agent.
    pub(super) since: SystemTime,
    /// It has the kernel's type information. Without, it does not find where the kernel keeps what it
    /// measured of a connection, and has to tell nothing of that.
    pub(super) types: bool,
    /// Whether the agent can ask open sockets for what the kernel keeps of them.
    pub(super) samples: bool,
}

/// Collects what differs.
#[derive(Debug, Default)]
struct Findings(Vec<String>);

impl Findings {
    fn same<T: PartialEq + Debug + ?Sized>(&mut self, field: &str, document: &T, truth: &T) {
        if document != truth {
            self.0.push(format!("{field} is {document:?}, should be {truth:?}"));
        }
    }

    fn text(&mut self, doc: &Doc, field: &str, truth: &(impl Display + ?Sized)) {
        self.same(field, &doc.text(field), &truth.to_string());
    }

    fn number(&mut self, doc: &Doc, field: &str, truth: u64) {
        self.same(field, &doc.number(field), &Some(truth));
    }
}

/// All differences between a document and the truth, in words; none if it is right.
pub(super) fn differences(doc: &Doc, side: &Side, seen: &Seen, given: Given) -> Vec<String> {
    let mut findings = Findings::default();
    process(&mut findings, doc, side);
    traffic(&mut findings, doc, side, seen);
    state(&mut findings, doc, side);
    measured(&mut findings, doc, side, seen, given);
    times(&mut findings, doc, given.since);
    findings.0
}

/// Whether a document names the right process and no packet too many: what a hook that was skipped explains.
pub(super) fn lacks_only(doc: &Doc, side: &Side, seen: &Seen) -> bool {
    let mut findings = Findings::default();
    process(&mut findings, doc, side);
    let captured = seen.sent.packets + seen.received.packets;
    findings.0.is_empty()
        && doc.number("network.packets").is_some_and(|reported| reported <= captured)
}

fn process(findings: &mut Findings, doc: &Doc, side: &Side) {
    findings.text(doc, "process.pid", &side.pid);
    findings.text(doc, "user.id", &side.uid);
    findings.text(doc, "group.id", &side.gid);
    let (euid, egid) = side.effective.unwrap_or((side.uid, side.gid));
    for (field, truth) in [("uid", side.uid), ("euid", euid), ("gid", side.gid), ("egid", egid)] {
        findings.text(doc, &format!("system.audit.socket.{field}"), &truth);
    }
    if let Ok(path) = executable() {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        findings.text(doc, "process.name", &name.unwrap_or_default());
        let path = side.executable.map_or(path.to_string_lossy(), Into::into);
        findings.text(doc, "process.executable", &path);
    }
    let arguments: Vec<&str> = doc
        .field("process.args")
        .and_then(|value| value.as_array())
        .map(|values| values.iter().filter_map(|value| value.as_str()).collect())
        .unwrap_or_default();
    let truth: Vec<&str> = side.arguments.iter().map(String::as_str).collect();
    findings.same("process.args", &arguments, &truth);
}

fn traffic(findings: &mut Findings, doc: &Doc, side: &Side, seen: &Seen) {
    let transport = match side.transport {
        Transport::Tcp => "tcp",
        Transport::Udp => "udp",
    };
    findings.text(doc, "network.transport", transport);
    findings.text(doc, "network.type", if side.local.is_ipv4() { "ipv4" } else { "ipv6" });
    findings.text(doc, "network.direction", side.direction.name());

    let local = (side.local, seen.sent);
    let remote = (side.remote, seen.received);
    let (source, destination) = match side.direction {
        Direction::Egress => (local, remote),
        Direction::Ingress => (remote, local),
        Direction::Unknown if side.remote.port() > side.local.port() => (remote, local),
        Direction::Unknown => (local, remote),
    };
    for (name, (address, count)) in [
        ("source", source),
        ("client", source),
        ("destination", destination),
        ("server", destination),
    ] {
        findings.same(name, &doc.end(name), &Some(address));
        let Count { packets, bytes, .. } = count;
        findings.number(doc, &format!("{name}.packets"), packets);
        findings.number(doc, &format!("{name}.bytes"), bytes);
    }
    let packets = seen.sent.packets + seen.received.packets;
    let bytes = seen.sent.bytes + seen.received.bytes;
    findings.number(doc, "network.packets", packets);
    findings.number(doc, "network.bytes", bytes);
    findings.same(
        "network.community_id begins with 1:",
        &doc.text("network.community_id").starts_with("1:"),
        &true,
    );
}

fn state(findings: &mut Findings, doc: &Doc, side: &Side) {
    findings.text(doc, "event.action", "network_flow");
    findings.text(doc, "event.outcome", side.outcome);
    findings.text(doc, "flow.final", &side.is_final);
    if let Some(complete) = side.complete {
        findings.text(doc, "flow.complete", &complete);
    }
    if let Some(began) = side.began {
        findings.text(doc, "system.audit.socket.began", began);
    }
    if let Some(ended) = side.ended {
        findings.text(doc, "system.audit.socket.ended", ended);
    }
    let kernel_address = doc.text("system.audit.socket.kernel_sock_address");
    findings.same("kernel_sock_address is set", &kernel_address.starts_with("0x"), &true);
}

/// What the kernel keeps of a TCP connection.
fn measured(findings: &mut Findings, doc: &Doc, side: &Side, seen: &Seen, given: Given) {
    if side.transport != Transport::Tcp {
        return;
    }
    // A socket that is closed says it all; not every set can ask an open one.
    let known = doc.field("system.audit.socket.tcp.state").is_some();
    let open = matches!(side.ended, Some("open" | "idle" | "ongoing"));
    let asked = known && given.types && (given.samples || !open);
    if known && open {
        findings.text(doc, "system.audit.socket.tcp.state", "established");
        let measured = doc.number("system.audit.socket.tcp.srtt_us").is_some();
        findings.same("tcp.srtt_us is there", &measured, &asked);
    }
    let reported = doc.number("system.audit.socket.tcp.retransmits");
    let counted = if side.counts_retransmits { Some(seen.sent.retransmits) } else { reported };
    findings.same("tcp.retransmits", &reported, &counted.filter(|_| asked));
}

fn times(findings: &mut Findings, doc: &Doc, since: SystemTime) {
    let time = |field: &str| humantime::parse_rfc3339(&doc.text(field)).ok();
    let (Some(start), Some(end)) = (time("event.start"), time("event.end")) else {
        findings.0.push(format!(
            "event.start {:?} and event.end {:?} are no times",
            doc.text("event.start"),
            doc.text("event.end")
        ));
        return;
    };
    let within = since - CLOCK_SLACK..=SystemTime::now() + CLOCK_SLACK;
    findings.same("event.start is of this run", &within.contains(&start), &true);
    findings.same("event.end is of this run", &within.contains(&end), &true);
    let Ok(between) = end.duration_since(start) else {
        findings.0.push(format!("event.end {end:?} is before event.start {start:?}"));
        return;
    };
    let reported = Duration::from_nanos(doc.number("event.duration").unwrap_or_default());
    // Both times may be written with no more than milliseconds.
    let off = reported.abs_diff(between);
    findings.same("event.duration is end - start", &(off <= Duration::from_millis(2)), &true);
}
