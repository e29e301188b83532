//! A name server and those who ask it.

use std::{
    fs,
    net::SocketAddr,
    sync::Mutex,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};

use super::message::{self, Record};
use crate::{
    agent::Doc,
    endpoint::{Endpoint, Family},
    expect::{Session, Side},
    fixture::Fixture,
    worker::{Sock, Worker},
};

/// Port of DNS.
pub(super) const PORT: u16 = 53;
/// The agent looks at a new namespace within this time, on an emulated machine too.
const OPENED: Duration = Duration::from_secs(60);

/// A name server, and a web server beside it, at one endpoint.
pub(super) struct Site<'l> {
    pub(super) fixture: &'l Fixture<'l>,
    pub(super) session: &'l Session,
    pub(super) endpoint: &'l Endpoint,
    pub(super) server: Worker,
    pub(super) at_server: Sock,
    family: Family,
    /// Who asked over UDP.
    clients: Mutex<Vec<SocketAddr>>,
}

impl<'l> Site<'l> {
    /// Opens when the agent sees the DNS packets there.
    pub(super) fn open(
        fixture: &'l Fixture<'l>,
        session: &'l Session,
        endpoint: &'l Endpoint,
        family: Family,
    ) -> Result<Self> {
        let site = Self::unseen(fixture, session, endpoint, family)?;
        wait_until_seen(session, site.server.pid())?;
        Ok(site)
    }

    /// Opens whether anyone sees it or not.
    pub(super) fn unseen(
        fixture: &'l Fixture<'l>,
        session: &'l Session,
        endpoint: &'l Endpoint,
        family: Family,
    ) -> Result<Self> {
        let server = Worker::spawn(&endpoint.netns, "names")?;
        let mut address = endpoint.any_port(family)?;
        address.set_port(PORT);
        let at_server = server.udp(address)?;
        let clients = Mutex::default();
        Ok(Self { fixture, session, endpoint, server, at_server, family, clients })
    }

    pub(super) fn client(&self) -> Result<Worker> {
        Worker::spawn(&self.endpoint.netns, "client")
    }

    /// A worker asks for a name over a socket of its own, which stays open.
    pub(super) fn ask(
        &self,
        client: &Worker,
        name: &str,
        kind: u16,
        records: &[Record],
    ) -> Result<Sock> {
        let sock = client.udp(self.endpoint.any_port(self.family)?)?;
        self.clients.lock().ok().context("poisoned")?.push(sock.local);
        self.exchange(
            client,
            sock,
            &message::query(7, name, kind),
            &[&message::answer(7, name, kind, records)],
        )?;
        Ok(sock)
    }

    /// A question and what comes back.
    pub(super) fn exchange(
        &self,
        client: &Worker,
        sock: Sock,
        question: &[u8],
        answers: &[&[u8]],
    ) -> Result<()> {
        client.send_bytes(sock, question, Some(self.at_server.local))?;
        self.server.receive(self.at_server, question.len() as u64)?;
        for answer in answers {
            self.server.send_bytes(self.at_server, answer, Some(sock.local))?;
            client.receive(sock, answer.len() as u64)?;
        }
        Ok(())
    }

    /// As [`Site::ask`]; then closes the socket and checks its flow.
    pub(super) fn ask_and_close(
        &self,
        client: &Worker,
        name: &str,
        kind: u16,
        records: &[Record],
    ) -> Result<()> {
        let sock = self.ask(client, name, kind, records)?;
        self.close(client, sock)
    }

    /// Closes a socket that asked, and checks its flow.
    pub(super) fn close(&self, client: &Worker, sock: Sock) -> Result<()> {
        client.close(sock)?;
        let side = Side::sender(client, sock.local, self.at_server.local);
        self.session.expect(self.fixture.name, &side, &self.endpoint.capture).map(drop)
    }

    /// A worker connects to the web server; the documents of both ends.
    pub(super) fn visit(&self, client: &Worker) -> Result<(Doc, Doc)> {
        let listener = self.server.listen(self.endpoint.any_port(self.family)?)?;
        let at_client = client.connect(listener.local)?;
        let at_server = self.server.accept(listener)?;
        client.send(at_client, 100)?;
        self.server.receive(at_server, 100)?;
        client.close(at_client)?;
        self.server.drain(at_server, 0)?;
        self.server.close(at_server)?;
        self.server.close(listener)?;
        let one = Side::connected(client, at_client)?;
        let two = Side::accepted(&self.server, at_server)?;
        let expect = |side| self.session.expect(self.fixture.name, side, &self.endpoint.capture);
        Ok((expect(&one)?, expect(&two)?))
    }

    /// Closes the name server and checks its flows.
    pub(super) fn end(self) -> Result<()> {
        self.server.close(self.at_server)?;
        for client in self.clients.into_inner().ok().context("poisoned")? {
            let side = Side::receiver(&self.server, self.at_server.local, client);
            self.session.expect(self.fixture.name, &side, &self.endpoint.capture)?;
        }
        Ok(())
    }
}

/// Waits until the agent sees DNS packets in the network namespace of a process.
pub(super) fn wait_until_seen(session: &Session, pid: u32) -> Result<()> {
    if sees_sockets(session) { Ok(()) } else { wait_for_ring(pid, true) }
}

/// Whether programs hand DNS packets over, of all sockets there are.
pub(super) fn sees_sockets(session: &Session) -> bool {
    session.log().iter().any(|line| line.contains("names from DNS from the sockets"))
}

/// Waits until the agent has a packet socket in the network namespace of a process, one that hears
/// something if `bound`. Its kind, `SOCK_DGRAM`, tells it from captures.
pub(super) fn wait_for_ring(pid: u32, bound: bool) -> Result<()> {
    const DGRAM: &str = "2";
    let deadline = Instant::now() + OPENED;
    loop {
        let table = fs::read_to_string(format!("/proc/{pid}/net/packet"))?;
        let found = table.lines().any(|line| {
            let mut columns = line.split_whitespace().skip(2);
            let kind = columns.next();
            let protocol = columns.next();
            kind == Some(DGRAM) && (protocol == Some("0003")) == bound
        });
        if found {
            return Ok(());
        }
        ensure!(
            Instant::now() < deadline,
            "the agent has no packet socket in the namespace of {pid} after {OPENED:?}: {table}"
        );
        thread::sleep(Duration::from_millis(10));
    }
}

/// Checks the name of one end, and how it was found; empty if it has to have none.
pub(super) fn check(doc: &Doc, end: &str, name: &str, source: &str) -> Result<()> {
    let (other, local) = match end {
        "destination" => ("server", "remote"),
        "source" => ("client", "local"),
        // Of a document that reports an incoming connection.
        "own" => ("server", "local"),
        other => anyhow::bail!("no end {other}"),
    };
    let end = if end == "own" { "destination" } else { end };
    let found = [
        doc.text(&format!("{end}.domain")),
        doc.text(&format!("{other}.domain")),
        doc.text(&format!("system.audit.socket.domain.{local}")),
    ];
    ensure!(found == [name, name, source], "{end}: {found:?} should be {name:?} by {source:?}");
    if !name.is_empty() {
        let hosts = doc.text("related.hosts");
        ensure!(hosts.contains(&format!("\"{name}\"")), "{name} is not in related.hosts: {hosts}");
    }
    Ok(())
}
