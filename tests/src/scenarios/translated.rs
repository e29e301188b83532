//! Sockets whose packets are translated on their way: a document has the addresses that the socket knows,
//! a capture those of the wire.

use std::net::SocketAddr;

use anyhow::{Context, Result, ensure};

use super::Scenario;
use crate::{
    capture::{Seen, Transport},
    endpoint::{Endpoint, Family},
    expect::Side,
    fixture::Fixture,
    net::nat,
    skip::skip,
    worker::{Sock, Worker},
};

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario::shared("translated/udp_v4", |fixture| udp(fixture, Family::V4, false)),
    Scenario::shared("translated/udp_v6", |fixture| udp(fixture, Family::V6, false)),
    Scenario::shared("translated/udp_connected_v4", |fixture| udp(fixture, Family::V4, true)),
    Scenario::shared("translated/udp_connected_v6", |fixture| udp(fixture, Family::V6, true)),
    Scenario::shared("translated/udp_beside_direct", udp_beside_direct),
    Scenario::shared("translated/tcp_v4", |fixture| tcp(fixture, Family::V4)),
    Scenario::shared("translated/tcp_v6", |fixture| tcp(fixture, Family::V6)),
];

/// The port that is asked for where a translation is.
const PORT: u16 = 7;

/// What is sent to `asked` goes to a server elsewhere, and its answers come from there.
pub(super) struct Translated<'p> {
    endpoint: &'p Endpoint,
    transport: Transport,
    /// Address that clients send to.
    pub(super) asked: SocketAddr,
    /// Address at which it arrives.
    server: SocketAddr,
}

impl<'p> Translated<'p> {
    /// # Errors
    /// A skip where the kernel cannot, or the agent does not look behind translations.
    pub(super) fn new(
        fixture: &Fixture<'_>,
        endpoint: &'p Endpoint,
        transport: Transport,
        port: u16,
        server: SocketAddr,
    ) -> Result<Self> {
        if transport == Transport::Udp && !sees_through(fixture) {
            return Err(skip("what a packet was translated from is not known to this set here"));
        }
        let mut asked = server;
        asked.set_port(port);
        endpoint.netns.run(|| nat::redirect(transport, port, server))?;
        Ok(Self { endpoint, transport, asked, server })
    }

    /// What was on the wire of a client that asked. What it sends comes from `wire` there, which is another
    /// than its own address where that is taken; answers are translated back before.
    pub(super) fn at_client(&self, own: SocketAddr, wire: SocketAddr) -> Result<Seen> {
        let seen = |local, remote| self.endpoint.capture.seen(self.transport, local, remote);
        let (there, back) = (seen(wire, self.server)?, seen(own, self.asked)?);
        ensure!(
            there.sent.packets > 0 && there.received.packets == 0 && back.sent.packets == 0,
            "nothing was translated: {there:?} {back:?}"
        );
        Ok(Seen { sent: there.sent, received: back.received })
    }

    /// The same at the server.
    pub(super) fn at_server(&self, own: SocketAddr, wire: SocketAddr) -> Result<Seen> {
        let Seen { sent, received } = self.at_client(own, wire)?;
        Ok(Seen { sent: received, received: sent })
    }
}

/// Whether documents have the addresses of before a translation, of UDP too.
fn sees_through(fixture: &Fixture<'_>) -> bool {
    fixture.options.hooks != "tracefs" && fixture.options.is_described()
}

fn udp(fixture: &Fixture<'_>, family: Family, connected: bool) -> Result<()> {
    let endpoint = fixture.loopback()?;
    let (server, client) = fixture.couple(&endpoint)?;
    let at_server = server.udp(endpoint.any_port(family)?)?;
    let translated = Translated::new(fixture, &endpoint, Transport::Udp, PORT, at_server.local)?;
    let at_client = client.udp(endpoint.any_port(family)?)?;
    if connected {
        client.udp_connect(at_client, translated.asked)?;
    }
    for bytes in [10, 200, 3000] {
        if connected {
            client.send(at_client, bytes)?;
        } else {
            client.send_to(at_client, bytes, translated.asked)?;
        }
        let from = server.receive(at_server, bytes)?.context("a datagram from nobody")?;
        ensure!(from == at_client.local, "a datagram from {from}");
    }
    server.send_to(at_server, 77, at_client.local)?;
    let from = client.receive(at_client, 77)?.context("an answer from nobody")?;
    ensure!(from == translated.asked, "an answer from {from}");
    client.close(at_client)?;
    server.close(at_server)?;
    check_udp(fixture, &translated, (&client, at_client), (&server, at_server), at_client.local)
}

/// Checks both ends; the server knows the client by the address `wire`.
fn check_udp(
    fixture: &Fixture<'_>,
    translated: &Translated<'_>,
    (client, at_client): (&Worker, Sock),
    (server, at_server): (&Worker, Sock),
    wire: SocketAddr,
) -> Result<()> {
    let session = fixture.shared()?;
    let own = at_client.local;
    let one = Side::sender(client, own, translated.asked);
    let two = Side::receiver(server, at_server.local, wire);
    session.expect_nth(fixture.name, &one, 0, || translated.at_client(own, wire))?;
    session.expect_nth(fixture.name, &two, 0, || translated.at_server(own, wire)).map(drop)
}

/// A socket sends to the server itself, and to an address that stands for it. The port it sends from is
/// taken then, so that it gets another on the wire.
fn udp_beside_direct(fixture: &Fixture<'_>) -> Result<()> {
    let endpoint = fixture.loopback()?;
    let (server, client) = fixture.couple(&endpoint)?;
    let at_server = server.udp(endpoint.any_port(Family::V4)?)?;
    let translated = Translated::new(fixture, &endpoint, Transport::Udp, PORT, at_server.local)?;
    let at_client = client.udp(endpoint.any_port(Family::V4)?)?;
    let mut wires = Vec::new();
    for (to, bytes) in [(at_server.local, 100), (translated.asked, 50), (at_server.local, 10)] {
        client.send_to(at_client, bytes, to)?;
        let wire = server.receive(at_server, bytes)?.context("a datagram from nobody")?;
        server.send_to(at_server, bytes + 1, wire)?;
        let from = client.receive(at_client, bytes + 1)?.context("an answer from nobody")?;
        ensure!(from == to, "an answer of {to} from {from}");
        wires.push(wire);
    }
    let wire = wires[1];
    ensure!(wires == [at_client.local, wire, at_client.local] && wire != wires[0], "{wires:?}");
    client.close(at_client)?;
    server.close(at_server)?;
    let direct = [
        Side::sender(&client, at_client.local, at_server.local),
        Side::receiver(&server, at_server.local, at_client.local),
    ];
    for side in &direct {
        fixture.expect(side, &endpoint.capture)?;
    }
    check_udp(fixture, &translated, (&client, at_client), (&server, at_server), wire)
}

/// The SYN-ACK has been translated where it is counted, and no full socket sends it.
fn tcp(fixture: &Fixture<'_>, family: Family) -> Result<()> {
    if !sees_through(fixture) {
        return Err(skip("what a packet was translated from is not known to this set here"));
    }
    let endpoint = fixture.loopback()?;
    let (server, client) = fixture.couple(&endpoint)?;
    let listener = server.listen(endpoint.any_port(family)?)?;
    let translated = Translated::new(fixture, &endpoint, Transport::Tcp, PORT, listener.local)?;
    let at_client = client.connect(translated.asked)?;
    let at_server = server.accept(listener)?;
    client.send(at_client, 100)?;
    server.receive(at_server, 100)?;
    client.close(at_client)?;
    server.drain(at_server, 0)?;
    server.close(at_server)?;
    server.close(listener)?;
    let session = fixture.shared()?;
    let (one, two) = (Side::connected(&client, at_client)?, Side::accepted(&server, at_server)?);
    let own = at_client.local;
    session.expect_nth(fixture.name, &one, 0, || translated.at_client(own, own))?;
    session.expect_nth(fixture.name, &two, 0, || translated.at_server(own, own)).map(drop)
}
