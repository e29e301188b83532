//! Sockets that are open, and those that open and close.

use std::{
    net::SocketAddr,
    process::{Command as Process, Stdio},
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::{Rest, Scenario, Watcher, pair::Pair};
use crate::{
    agent::Doc,
    btf,
    endpoint::{Endpoint, Family},
    expect::Session,
    fixture::Fixture,
    skip::skip,
    worker::{Command, Sock, Worker},
};
use ecs_schema::Schema;

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario::shared("sockets/listener_comes_and_goes", listener),
    Scenario::shared("sockets/listener_v6", listener_v6),
    Scenario::shared("sockets/listener_without_bind", without_bind),
    Scenario::shared("sockets/listener_of_a_process_that_exits", of_a_process_that_exits),
    Scenario::shared("sockets/udp_server_comes_and_goes", udp_server),
    Scenario::shared("sockets/udp_client_is_no_listener", udp_client),
    Scenario::watched("sockets/connections", Watcher::Often, connections),
    Scenario::watched("sockets/idle_connection_closes", Watcher::Forgetful, idle_connection),
    Scenario::before("sockets/existing", existing),
    Scenario::watched("sockets/existing_again", Watcher::Often, existing_again),
    Scenario::own("sockets/show", show).portable(),
];

const OPENED: &str = "socket_opened";
const CLOSED: &str = "socket_closed";
const EXISTING: &str = "existing_socket";

/// Expected contents of a document of a socket.
struct Expected<'a> {
    action: &'static str,
    direction: &'static str,
    transport: &'static str,
    worker: &'a Worker,
    local: SocketAddr,
    remote: Option<SocketAddr>,
}

impl Expected<'_> {
    fn is_in(&self, doc: &Doc) -> bool {
        let (source, destination) = match (self.direction, self.remote) {
            ("egress", Some(remote)) => (Some(self.local), remote),
            (_, remote) => (remote, self.local),
        };
        doc.text("event.action") == self.action
            && doc.text("network.direction") == self.direction
            && doc.text("network.transport") == self.transport
            && doc.number("process.pid") == Some(self.worker.pid().into())
            && doc.end("source") == source
            && doc.end("client") == source
            && doc.end("destination") == Some(destination)
            && doc.end("server") == Some(destination)
    }

    /// Waits for the document, and compares what is in it beside.
    fn of(&self, session: &Session) -> Result<Doc> {
        let what = format!(
            "{} {} {} of pid {} at {} with {:?}",
            self.action,
            self.direction,
            self.transport,
            self.worker.pid(),
            self.local,
            self.remote
        );
        let doc = session.wait(&what, |doc| self.is_in(doc))?;
        self.check(&doc).with_context(|| format!("{what}: {}", doc.json()))?;
        Ok(doc)
    }

    fn check(&self, doc: &Doc) -> Result<()> {
        let kind = if self.action == EXISTING { "state" } else { "event" };
        let family = if self.local.is_ipv4() { "ipv4" } else { "ipv6" };
        for (field, truth) in [
            ("event.kind", kind),
            ("event.dataset", "socket"),
            ("network.type", family),
            ("user.id", "0"),
            ("group.id", "0"),
            ("system.audit.socket.euid", "0"),
        ] {
            let reported = doc.text(field);
            ensure!(reported == truth, "{field} is {reported}, should be {truth}");
        }
        let arguments: Vec<&str> = doc
            .field("process.args")
            .and_then(Value::as_array)
            .map(|values| values.iter().filter_map(Value::as_str).collect())
            .unwrap_or_default();
        ensure!(arguments == self.worker.arguments(), "process.args are {arguments:?}");
        let wrong = Schema::load()?.problems(doc.json());
        ensure!(wrong.is_empty(), "it does not fit the schema: {wrong:?}");
        Ok(())
    }
}

/// The shared agent, if its set reports sockets that open and close.
fn watcher<'l>(fixture: &'l Fixture<'_>) -> Result<&'l Session> {
    needs_socket_events(fixture)?;
    fixture.shared()
}

/// # Errors
/// A skip for the set that gets no reports of them.
fn needs_socket_events(fixture: &Fixture<'_>) -> Result<()> {
    if fixture.options.hooks == "tracefs" {
        return Err(skip("the set tracefs does not tell of sockets that open and close"));
    }
    Ok(())
}

/// A socket that waits for whoever comes, from its opening to its end.
fn comes_and_goes(
    fixture: &Fixture<'_>,
    transport: &'static str,
    server: &Worker,
    sock: Sock,
    end: impl FnOnce() -> Result<()>,
) -> Result<()> {
    let session = watcher(fixture)?;
    let expect = |action| Expected {
        action,
        direction: "listening",
        transport,
        worker: server,
        local: sock.local,
        remote: None,
    };
    let opened = expect(OPENED).of(session)?;
    end()?;
    let closed = expect(CLOSED).of(session)?;
    for field in [
        "system.audit.socket.inode",
        "system.audit.socket.kernel_sock_address",
        "system.audit.socket.netns.inode",
        "event.start",
        "process.entity_id",
    ] {
        let reported = [&opened, &closed].map(|doc| doc.text(field));
        ensure!(!reported[0].is_empty() && reported[0] == reported[1], "{field}: {reported:?}");
    }
    ensure!(opened.field("event.end").is_none(), "an opened socket has an end");
    ensure!(closed.number("event.duration").is_some_and(|time| time > 0), "no event.duration");
    Ok(())
}

fn listener(fixture: &Fixture<'_>) -> Result<()> {
    let endpoint = fixture.loopback()?;
    let server = Worker::spawn(&endpoint.netns, "server")?;
    let sock = server.listen(endpoint.any_port(Family::V4)?)?;
    comes_and_goes(fixture, "tcp", &server, sock, || server.close(sock))
}

fn listener_v6(fixture: &Fixture<'_>) -> Result<()> {
    let endpoint = fixture.loopback()?;
    let server = Worker::spawn(&endpoint.netns, "server")?;
    let sock = server.listen(endpoint.any_port(Family::V6)?)?;
    comes_and_goes(fixture, "tcp", &server, sock, || server.close(sock))
}

/// The kernel gives it a port after it has told that it listens.
fn without_bind(fixture: &Fixture<'_>) -> Result<()> {
    let endpoint = fixture.loopback()?;
    let server = Worker::spawn(&endpoint.netns, "server")?;
    let sock = server.socket(&Command::ListenAnywhere)?;
    ensure!(sock.local.port() != 0, "the listener has no port");
    comes_and_goes(fixture, "tcp", &server, sock, || server.close(sock))
}

/// The same, gone before anyone could ask for the port.
fn of_a_process_that_exits(fixture: &Fixture<'_>) -> Result<()> {
    let endpoint = fixture.loopback()?;
    let mut server = Worker::spawn(&endpoint.netns, "server")?;
    let (pid, session) = (u64::from(server.pid()), watcher(fixture)?);
    server.last_words(vec![Command::ListenAnywhere])?;
    let reported = |action: &'static str| {
        session.wait(&format!("{action} of pid {pid}"), |doc| {
            doc.text("event.action") == action && doc.number("process.pid") == Some(pid)
        })
    };
    let (opened, closed) = (reported(OPENED)?, reported(CLOSED)?);
    let ports = [&opened, &closed].map(|doc| doc.number("destination.port"));
    ensure!(ports[0] == ports[1] && ports[0] > Some(0), "ports are {ports:?}");
    Ok(())
}

/// Below the ports that clients are given.
const UDP_PORT: u16 = 5300;

fn udp_server(fixture: &Fixture<'_>) -> Result<()> {
    if fixture.options.is_early() {
        return Err(skip(
            "the programs for kernels before 5.8 do not tell of UDP sockets that are bound",
        ));
    }
    let endpoint = fixture.loopback()?;
    let server = Worker::spawn(&endpoint.netns, "server")?;
    let mut address = endpoint.any_port(Family::V4)?;
    address.set_port(UDP_PORT);
    let sock = server.udp(address)?;
    comes_and_goes(fixture, "udp", &server, sock, || server.close(sock))
}

/// A UDP socket on a port that the kernel chose is not reported when it comes and goes.
fn udp_client(fixture: &Fixture<'_>) -> Result<()> {
    let endpoint = fixture.loopback()?;
    let server = Worker::spawn(&endpoint.netns, "server")?;
    let session = watcher(fixture)?;
    let client = server.udp(endpoint.any_port(Family::V4)?)?;
    server.close(client)?;
    // Records come in order: when this one is there, one of the client would be too.
    let sock = server.listen(endpoint.any_port(Family::V4)?)?;
    comes_and_goes(fixture, "tcp", &server, sock, || server.close(sock))?;
    let reported = session.documents().into_iter().find(|doc| {
        doc.text("event.action").starts_with("socket_")
            && doc.number("destination.port") == Some(client.local.port().into())
            && doc.number("process.pid") == Some(server.pid().into())
    });
    ensure!(reported.is_none(), "told of a client's socket: {reported:?}");
    Ok(())
}

fn both_ends<'a>(action: &'static str, pair: &'a Pair) -> Result<[Expected<'a>; 2]> {
    let end = |worker, sock: Sock, direction| {
        let (transport, local, remote) = ("tcp", sock.local, sock.peer);
        ensure!(remote.is_some(), "{sock:?} is not connected");
        Ok(Expected { action, direction, transport, worker, local, remote })
    };
    Ok([
        end(&pair.client, pair.at_client, "egress")?,
        end(&pair.server, pair.at_server, "ingress")?,
    ])
}

/// With `socket.events: all`, connections are reported like listeners, and by the id of their flow.
fn connections(fixture: &Fixture<'_>) -> Result<()> {
    needs_socket_events(fixture)?;
    let endpoint = fixture.loopback()?;
    let session = fixture.shared()?;
    let pair = Pair::meet(fixture, &endpoint, Family::V4)?;
    let mut flows = Vec::new();
    for expected in both_ends(OPENED, &pair)? {
        flows.push(expected.of(session)?.text("flow.id"));
    }
    pair.echo(100)?;
    pair.close_client_first()?;
    for (expected, flow) in both_ends(CLOSED, &pair)?.iter().zip(flows) {
        let closed = expected.of(session)?;
        ensure!(!flow.is_empty() && closed.text("flow.id") == flow, "flow.id {flow}");
        ensure!(closed.number("event.duration").is_some_and(|time| time > 0), "no event.duration");
    }
    let (client, server) = pair.sides("fin_local", "fin_remote")?;
    fixture.expect_both(&client, &server, &endpoint)
}

/// The end of a connection whose flow was forgotten, as nothing crossed it, is told all the same.
fn idle_connection(fixture: &Fixture<'_>) -> Result<()> {
    needs_socket_events(fixture)?;
    let endpoint = fixture.loopback()?;
    let session = fixture.shared()?;
    let pair = Pair::meet(fixture, &endpoint, Family::V4)?;
    let (client, server) = pair.sides("idle", "idle")?;
    session.expect(fixture.name, &client, &endpoint.capture)?;
    session.expect(fixture.name, &server, &endpoint.capture)?;
    pair.abort()?;
    let ends = [(pair.at_client, "egress"), (pair.at_server, "ingress")];
    let reported = |doc: &Doc, (sock, direction): (Sock, &str)| {
        let (here, there) = match direction {
            "egress" => (doc.end("source"), doc.end("destination")),
            _ => (doc.end("destination"), doc.end("source")),
        };
        doc.text("event.action") == CLOSED
            && doc.text("network.direction") == direction
            && (here, there) == (Some(sock.local), sock.peer)
    };
    for end in ends {
        session.wait(&format!("{CLOSED} {}", end.1), |doc| reported(doc, end))?;
    }
    for end in ends {
        let count = session.documents().iter().filter(|doc| reported(doc, end)).count();
        ensure!(count == 1, "{count} times told that the connection was closed");
    }
    // The reset is the first packet of a flow that began midway, which is not at issue here.
    session.forgive(fixture.name);
    Ok(())
}

/// A listener, a connection through it, and a UDP server, in a namespace of their own.
fn sockets(fixture: &Fixture<'_>, endpoint: &Endpoint) -> Result<(Pair, Sock, Sock)> {
    let (server, client) = fixture.couple(endpoint)?;
    let listener = server.listen(endpoint.any_port(Family::V4)?)?;
    let at_client = client.connect(listener.local)?;
    let at_server = server.accept(listener)?;
    let udp = server.udp(endpoint.any_port(Family::V4)?)?;
    Ok((Pair { server, client, at_server, at_client }, listener, udp))
}

fn all<'a>(pair: &'a Pair, listener: Sock, udp: Sock) -> Result<Vec<Expected<'a>>> {
    let mut all = Vec::from(both_ends(EXISTING, pair)?);
    for (transport, sock) in [("tcp", listener), ("udp", udp)] {
        let (worker, local) = (&pair.server, sock.local);
        let (action, direction, remote) = (EXISTING, "listening", None);
        all.push(Expected { action, direction, transport, worker, local, remote });
    }
    Ok(all)
}

/// What was open before the agent is in one report, each socket once.
fn existing(fixture: &Fixture<'_>) -> Result<Rest> {
    let endpoint = fixture.loopback()?;
    let (pair, listener, udp) = sockets(fixture, &endpoint)?;
    Ok(Box::new(move |fixture| is_reported(fixture, &endpoint, &pair, listener, udp)))
}

fn is_reported(
    fixture: &Fixture<'_>,
    endpoint: &Endpoint,
    pair: &Pair,
    listener: Sock,
    udp: Sock,
) -> Result<()> {
    let session = fixture.shared()?;
    // Its flow is not at issue here.
    let (client, server) = pair.sides("fin_local", "fin_remote")?;
    session.ignore(fixture.name, &[&client, &server]);
    let netns = endpoint.netns.inode()?;
    let mut reports = Vec::new();
    for expected in all(pair, listener, udp)? {
        let doc = expected.of(session)?;
        let reported = doc.number("system.audit.socket.netns.inode");
        ensure!(reported == Some(netns), "netns.inode is {reported:?}, should be {netns}");
        reports.push(doc.text("event.id"));
        let docs = session.documents();
        let count = docs.iter().filter(|doc| expected.is_in(doc)).count();
        ensure!(count == 1, "{count} documents of one socket");
    }
    reports.dedup();
    ensure!(reports.len() == 1 && !reports[0].is_empty(), "event.id: {reports:?}");
    // One that was there before is reported when it goes.
    needs_socket_events(fixture)?;
    if fixture.options.is_early() || !btf::is_published() {
        return Err(skip(
            "what was open before is looked up from 5.8 on, where the kernel publishes its types",
        ));
    }
    pair.server.close(listener)?;
    let gone = Expected {
        action: CLOSED,
        direction: "listening",
        transport: "tcp",
        worker: &pair.server,
        local: listener.local,
        remote: None,
    };
    gone.of(session)?;
    pair.close_client_first()?;
    pair.server.close(udp)
}

/// Reports come again, each with an id of its own.
fn existing_again(fixture: &Fixture<'_>) -> Result<()> {
    let endpoint = fixture.loopback()?;
    let (pair, listener, udp) = sockets(fixture, &endpoint)?;
    let session = fixture.shared()?;
    // Its flow is not at issue here.
    let (client, server) = pair.sides("fin_local", "fin_remote")?;
    session.ignore(fixture.name, &[&client, &server]);
    let expected = all(&pair, listener, udp)?;
    let first = expected.first().context("no socket")?;
    let one = first.of(session)?.text("event.id");
    let again =
        session.wait("a second report", |doc| first.is_in(doc) && doc.text("event.id") != one)?;
    first.check(&again)
}

/// The same without an agent, as a table and as documents.
fn show(fixture: &Fixture<'_>) -> Result<()> {
    let endpoint = fixture.loopback()?;
    let (pair, listener, udp) = sockets(fixture, &endpoint)?;
    let run = |arguments: &[&str]| {
        let mut command = Process::new(&fixture.options.program);
        command.args(["show", "sockets"]).args(arguments).stdin(Stdio::null());
        let output = command.output().context("starting the agent's program")?;
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(output.status.success(), "show sockets failed: {error}");
        String::from_utf8(output.stdout).context("not UTF-8")
    };
    let documents = run(&["-o", "json"])?;
    let documents: Vec<Doc> = documents
        .lines()
        .map(|line| Ok(serde_json::from_str::<Value>(line)?.into()))
        .collect::<Result<_>>()?;
    for expected in all(&pair, listener, udp)? {
        let mut found = documents.iter().filter(|doc| expected.is_in(doc));
        let doc = found.next().with_context(|| format!("nothing of {}", expected.local))?;
        expected.check(doc)?;
        ensure!(found.next().is_none(), "{} is there twice", expected.local);
    }
    let table = run(&["--listening"])?;
    let pid = pair.server.pid().to_string();
    for (transport, sock) in [("tcp", listener), ("udp", udp)] {
        let local = sock.local.to_string();
        let line = table.lines().find(|line| line.contains(&local) && line.starts_with(transport));
        let words: Vec<&str> = line.context("no line of it")?.split_whitespace().collect();
        ensure!(words.contains(&"listening") && words.contains(&pid.as_str()), "{words:?}");
    }
    ensure!(!table.contains(" egress "), "a connection among the listeners");
    Ok(())
}
