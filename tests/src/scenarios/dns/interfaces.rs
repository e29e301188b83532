//! Packet sockets at the interfaces, where no program hands DNS packets over.

use std::{
    fs,
    net::{IpAddr, SocketAddr},
    os::fd::AsRawFd,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use socket2::{Domain, Protocol, Socket, Type};

use super::{
    asking::{ip, name_of},
    message::{self, A},
    site::{PORT, Site, check, wait_for_ring},
};
use crate::{
    agent::Timeouts,
    endpoint::Family,
    expect::Side,
    fixture::Fixture,
    net::{
        Netns, link,
        watch::{Usable, Watch},
    },
    skip::skip,
    worker::{PATIENCE, Worker},
};

/// The setting that this is about.
pub(super) const AF_PACKET: &[&str] = &["socket.dns.type: af_packet"];

/// A question over each family is seen at the interface, as well as at a socket.
pub(super) fn names(fixture: &Fixture<'_>) -> Result<()> {
    let session = fixture.agent_with(Timeouts::default(), AF_PACKET)?;
    let endpoint = fixture.loopback()?;
    for family in [Family::V4, Family::V6] {
        let site = Site::open(fixture, &session, &endpoint, family)?;
        let client = site.client()?;
        let name = name_of(fixture, "packet");
        let kind = if family == Family::V4 { A } else { message::AAAA };
        let records = [message::address(&name, ip(&endpoint, family)?)];
        site.ask_and_close(&client, &name, kind, &records)?;
        check(&site.visit(&client)?.0, "destination", &name, "asked")?;
        site.end()?;
    }
    session.stop().map(drop)
}

/// The answer arrives behind a VLAN tag. No interface here takes it further, as it would on a host
/// that hands the tag on to a bridge or a guest; it names the address all the same.
pub(super) fn vlan(fixture: &Fixture<'_>) -> Result<()> {
    let session = fixture.agent_with(Timeouts::default(), AF_PACKET)?;
    let (here, there) = fixture.wire(true)?;
    let client = Worker::spawn(&here.netns, "client")?;
    let server = Worker::spawn(&there.netns, "names")?;
    wait_for_ring(client.pid(), true)?;
    let mut address = there.any_port(Family::V4)?;
    address.set_port(PORT);
    let at_server = server.udp(address)?;
    let sock = client.udp(here.any_port(Family::V4)?)?;
    let name = name_of(fixture, "tagged");
    let query = message::query(6, &name, A);
    client.send_bytes(sock, &query, Some(at_server.local))?;
    server.receive(at_server, query.len() as u64)?;
    let records = [message::address(&name, ip(&there, Family::V4)?)];
    let answer = message::answer(6, &name, A, &records);
    let mac = here.netns.run(|| link::mac("wire"))?;
    let asking = Side::sender(&client, sock.local, at_server.local);
    let asked = Side::receiver(&server, at_server.local, sock.local);
    // The captures see what is injected, the sockets do not.
    let truth = [(&asking, &here), (&asked, &there)].map(|(side, endpoint)| {
        let (transport, local, remote) = side.key();
        endpoint.capture.seen(transport, local, remote)
    });
    let [at_client_end, at_server_end] = truth;
    inject(&there.netns, "wire", &tagged(mac, at_server.local, sock.local, &answer)?)?;

    let listener = server.listen(there.any_port(Family::V4)?)?;
    let at_client = client.connect(listener.local)?;
    let at_listener = server.accept(listener)?;
    client.close(at_client)?;
    server.drain(at_listener, 0)?;
    server.close(at_listener)?;
    client.close(sock)?;
    server.close(at_server)?;
    let one = session.expect(fixture.name, &Side::connected(&client, at_client)?, &here.capture)?;
    session.expect(fixture.name, &Side::accepted(&server, at_listener)?, &there.capture)?;
    session.expect_nth(fixture.name, &asking, 0, || at_client_end)?;
    session.expect_nth(fixture.name, &asked, 0, || at_server_end)?;
    check(&one, "destination", &name, "asked")?;
    session.stop().map(drop)
}

/// An Ethernet frame with a tag of VLAN 7, priority 2: its first byte looks like one of IPv4.
fn tagged(
    to: [u8; 6],
    source: SocketAddr,
    destination: SocketAddr,
    payload: &[u8],
) -> Result<Vec<u8>> {
    let (IpAddr::V4(from_ip), IpAddr::V4(to_ip)) = (source.ip(), destination.ip()) else {
        bail!("only IPv4 is built by hand")
    };
    let mut frame = to.to_vec();
    frame.extend([2, 0, 0, 0, 0, 1, 0x81, 0, 0x40, 7, 0x08, 0, 0x45, 0]);
    frame.extend((payload.len() as u16 + 28).to_be_bytes());
    frame.extend([0, 0, 0, 0, 64, 17, 0, 0]);
    frame.extend(from_ip.octets());
    frame.extend(to_ip.octets());
    for word in [source.port(), destination.port(), payload.len() as u16 + 8, 0] {
        frame.extend(word.to_be_bytes());
    }
    frame.extend(payload);
    Ok(frame)
}

/// Sends a frame as it is.
fn inject(netns: &Netns, interface: &str, frame: &[u8]) -> Result<()> {
    netns.run(|| {
        let socket = Socket::new(Domain::PACKET, Type::RAW, Some(Protocol::from(0)))?;
        // SAFETY: sockaddr_ll is plain data for which all zeroes are valid.
        let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
        address.sll_family = libc::AF_PACKET as u16;
        address.sll_ifindex = link::index(interface)?.cast_signed();
        // SAFETY: frame and address are valid for the lengths given.
        let sent = unsafe {
            libc::sendto(
                socket.as_raw_fd(),
                frame.as_ptr().cast(),
                frame.len(),
                0,
                std::ptr::from_ref(&address).cast(),
                size_of::<libc::sockaddr_ll>() as libc::socklen_t,
            )
        };
        if sent < 0 {
            return Err(std::io::Error::last_os_error()).context("sending a frame");
        }
        Ok(())
    })
}

/// A packet socket would keep a namespace from going away: it is closed once no process is left.
pub(super) fn namespace_that_goes(fixture: &Fixture<'_>) -> Result<()> {
    if !Path::new("/proc/thread-self").exists() {
        return Err(skip("a thread sees the sockets of its own namespace since 3.17"));
    }
    let session = fixture.agent_with(Timeouts::default(), AF_PACKET)?;
    let netns = Netns::create()?;
    let last = Worker::spawn(&netns, "last")?;
    wait_for_ring(last.pid(), true)?;
    drop(last);
    let deadline = Instant::now() + PATIENCE;
    // The thread that looks is no process of its own, so it does not count.
    while netns.run(|| Ok(fs::read_to_string("/proc/thread-self/net/packet")?))?.lines().count() > 1
    {
        ensure!(Instant::now() < deadline, "{}: the agent still looks at it", fixture.name);
        thread::sleep(Duration::from_millis(100));
    }
    session.stop().map(drop)
}

const LATE: &str = "late0";

/// The interface does not exist when the agent begins to look at the namespace.
pub(super) fn interface(fixture: &Fixture<'_>) -> Result<()> {
    const HERE: [u8; 4] = [10, 214, 0, 1];
    const THERE: [u8; 4] = [10, 214, 0, 2];
    let setting = &["socket.dns.af_packet.interface: late0"];
    let session = fixture.agent_with(Timeouts::default(), setting)?;
    let (here, there) = (Netns::create()?, Netns::create()?);
    let client = Worker::spawn(&here, "client")?;
    let server = Worker::spawn(&there, "names")?;
    wait_for_ring(client.pid(), false)?;
    link::veth(LATE, &here, &there)?;
    let watches = [(&here, HERE), (&there, THERE)].map(|(netns, address)| {
        netns.run(|| {
            let watch = Watch::open()?;
            link::up(LATE)?;
            link::add_address(LATE, address.into(), 24)?;
            Ok((watch, link::index(LATE)?))
        })
    });
    for watch in watches {
        let (watch, index) = watch?;
        watch.wait([Usable::Interface(index)])?;
    }
    wait_for_ring(client.pid(), true)?;

    let name = name_of(fixture, "late");
    let at_server = server.udp((THERE, PORT).into())?;
    let sock = client.udp((HERE, 0).into())?;
    let query = message::query(6, &name, A);
    let answer = message::answer(6, &name, A, &[message::address(&name, THERE.into())]);
    client.send_bytes(sock, &query, Some(at_server.local))?;
    server.receive(at_server, query.len() as u64)?;
    server.send_bytes(at_server, &answer, Some(sock.local))?;
    client.receive(sock, answer.len() as u64)?;
    let listener = server.listen((THERE, 0).into())?;
    let at_client = client.connect(listener.local)?;
    client.close(at_client)?;
    let at_listener = server.accept(listener)?;
    server.drain(at_listener, 0)?;
    server.close(at_listener)?;
    let pid = u64::from(client.pid());
    let doc = session.wait_for(|docs| {
        let is = |doc: &&crate::agent::Doc| {
            doc.number("process.pid") == Some(pid) && doc.text("network.transport") == "tcp"
        };
        docs.iter().find(is).cloned()
    });
    let Some(doc) = doc else { anyhow::bail!("no document of the client's connection") };
    check(&doc, "destination", &name, "asked")?;
    let lost = session.counters()?;
    ensure!(lost.get("dns_dropped") == Some(&0), "{lost:?}");
    Ok(())
}
