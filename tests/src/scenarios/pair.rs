//! A TCP connection, and a UDP conversation, between two workers.

use anyhow::Result;

use crate::{
    capture::Seen,
    endpoint::{Endpoint, Family, through},
    expect::Side,
    fixture::Fixture,
    worker::{Sock, Worker},
};

/// A connection between two workers.
pub(super) struct Pair {
    pub(super) server: Worker,
    pub(super) client: Worker,
    pub(super) at_server: Sock,
    pub(super) at_client: Sock,
}

impl Pair {
    /// Server and client at the same endpoint.
    pub(super) fn meet(fixture: &Fixture<'_>, endpoint: &Endpoint, family: Family) -> Result<Self> {
        let (server, client) = fixture.couple(endpoint)?;
        Self::connect(server, client, endpoint, family)
    }

    /// At two endpoints: the server at `there`, the client at `here`.
    pub(super) fn across(here: &Endpoint, there: &Endpoint, family: Family) -> Result<Self> {
        let server = Worker::spawn(&there.netns, "server")?;
        let client = Worker::spawn(&here.netns, "client")?;
        Self::connect(server, client, there, family)
    }

    fn connect(
        server: Worker,
        client: Worker,
        endpoint: &Endpoint,
        family: Family,
    ) -> Result<Self> {
        let listener = server.listen(endpoint.any_port(family)?)?;
        let at_client = client.connect(through(family, listener.local))?;
        let at_server = server.accept(listener)?;
        Ok(Self { server, client, at_server, at_client })
    }

    /// So many bytes to the server and back.
    pub(super) fn echo(&self, bytes: u64) -> Result<()> {
        self.client.send(self.at_client, bytes)?;
        self.server.receive(self.at_server, bytes)?;
        self.server.send(self.at_server, bytes)?;
        self.client.receive(self.at_client, bytes)?;
        Ok(())
    }

    /// Both ends reset: nothing more crosses than the client's.
    pub(super) fn abort(&self) -> Result<()> {
        self.client.abort(self.at_client)?;
        self.server.expect_reset(self.at_server)?;
        self.server.close(self.at_server)
    }

    pub(super) fn close_client_first(&self) -> Result<()> {
        self.client.close(self.at_client)?;
        self.server.drain(self.at_server, 0)?;
        self.server.close(self.at_server)
    }

    pub(super) fn close_server_first(&self) -> Result<()> {
        self.server.close(self.at_server)?;
        self.client.drain(self.at_client, 0)?;
        self.client.close(self.at_client)
    }

    /// Both ends, client first, with how each ended.
    pub(super) fn sides(&self, client: &'static str, server: &'static str) -> Result<(Side, Side)> {
        let client = Side::connected(&self.client, self.at_client)?.ended(client);
        Ok((client, Side::accepted(&self.server, self.at_server)?.ended(server)))
    }
}

/// Two unconnected UDP sockets of two workers at the same endpoint.
pub(super) struct UdpPair {
    pub(super) server: Worker,
    pub(super) client: Worker,
    pub(super) at_server: Sock,
    pub(super) at_client: Sock,
}

impl UdpPair {
    /// Opens a socket of each worker, the server's first.
    pub(super) fn meet(fixture: &Fixture<'_>, endpoint: &Endpoint, family: Family) -> Result<Self> {
        let (server, client) = fixture.couple(endpoint)?;
        let at_server = server.udp(endpoint.any_port(family)?)?;
        let at_client = client.udp(endpoint.any_port(family)?)?;
        Ok(Self { server, client, at_server, at_client })
    }

    /// Sends one datagram of this length from the client to the server.
    pub(super) fn ask(&self, bytes: u64) -> Result<()> {
        self.client.send_to(self.at_client, bytes, self.at_server.local)?;
        self.server.receive(self.at_server, bytes).map(drop)
    }

    /// Sends one datagram of this length from the server to the client.
    pub(super) fn answer(&self, bytes: u64) -> Result<()> {
        self.server.send_to(self.at_server, bytes, self.at_client.local)?;
        self.client.receive(self.at_client, bytes).map(drop)
    }

    /// Closes both sockets, the client's first.
    pub(super) fn close(&self) -> Result<()> {
        self.client.close(self.at_client)?;
        self.server.close(self.at_server)
    }

    /// Both ends, the client's first, which has sent the first datagram.
    pub(super) fn sides(&self) -> (Side, Side) {
        let (here, there) = (self.at_client.local, self.at_server.local);
        (Side::sender(&self.client, here, there), Side::receiver(&self.server, there, here))
    }
}

/// Packets and bytes of one end that the capture of the endpoint has seen so far.
pub(super) fn seen(endpoint: &Endpoint, side: &Side) -> Result<Seen> {
    let (transport, local, remote) = side.key();
    endpoint.capture.seen(transport, local, remote)
}
