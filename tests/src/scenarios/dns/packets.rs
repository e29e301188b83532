//! What names travel in.

use std::{
    net::{IpAddr, SocketAddr},
    os::fd::AsRawFd,
};

use anyhow::{Context, Result, bail};
use socket2::{Domain, Protocol, Socket, Type};

use super::{
    asking::{ip, name_of},
    message::{self, A, AAAA},
    site::{PORT, Site, check},
};
use crate::{
    expect::Side,
    lab::Lab,
    net::{Netns, link},
    place::Family,
    puppet::{Command, Puppet, Sock},
};

/// The answer does not fit; the client asks again over TCP, where it comes in pieces.
pub(super) fn truncated_then_tcp(lab: &Lab<'_>) -> Result<()> {
    let place = lab.loopback()?;
    let site = Site::open(lab, lab.shared()?, &place, Family::V4)?;
    let client = site.client()?;
    let name = name_of(lab, "long");
    let query = message::query(3, &name, A);
    let sock = client.udp(place.any_port(Family::V4)?)?;
    site.exchange(&client, sock, &query, &[&message::truncated(3, &name, A)])?;
    site.close(&client, sock)?;
    let side = Side::receiver(&site.server, site.at_server.local, sock.local);

    let listener = site.server.listen(site.at_server.local)?;
    let at_client = client.connect(listener.local)?;
    let at_server = site.server.accept(listener)?;
    let question = message::framed(&message::query(4, &name, A));
    client.send_bytes(at_client, &question, None)?;
    site.server.receive(at_server, question.len() as u64)?;
    let mut records: Vec<_> =
        (0..60).map(|last| message::address(&name, [192, 0, 2, last].into())).collect();
    records.insert(7, message::address(&name, ip(&place, Family::V4)?));
    let answer = message::framed(&message::answer(4, &name, A, &records));
    // The first byte of the length alone, then the rest in pieces.
    let (first, rest) = answer.split_at(1);
    for part in std::iter::once(first).chain(rest.chunks(700)) {
        site.server.send_bytes(at_server, part, None)?;
        client.receive(at_client, part.len() as u64)?;
    }
    client.close(at_client)?;
    site.server.drain(at_server, 0)?;
    site.server.close(at_server)?;
    site.server.close(listener)?;
    lab.expect(&Side::connected(&client, at_client)?, &place.capture)?;
    lab.expect(&Side::accepted(&site.server, at_server)?, &place.capture)?;

    check(&site.visit(&client)?.0, "destination", &name, "asked")?;
    site.server.close(site.at_server)?;
    lab.expect(&side, &place.capture).map(drop)
}

fn with_option(
    lab: &Lab<'_>,
    family: Family,
    kind: u16,
    options: &[(i32, i32, &[u8])],
) -> Result<()> {
    let place = lab.loopback()?;
    let site = Site::open(lab, lab.shared()?, &place, family)?;
    let client = site.client()?;
    let name = name_of(lab, "odd");
    let set = |puppet: &Puppet, sock: Sock| -> Result<()> {
        for (level, name, value) in options {
            let (fd, value) = (sock.fd, value.to_vec());
            puppet.step(&Command::SetOption { fd, level: *level, name: *name, value })?;
        }
        Ok(())
    };
    let sock = client.udp(place.any_port(family)?)?;
    set(&client, sock)?;
    set(&site.server, site.at_server)?;
    let records = [message::address(&name, ip(&place, family)?)];
    let (query, answer) =
        (message::query(5, &name, kind), message::answer(5, &name, kind, &records));
    site.exchange(&client, sock, &query, &[&answer])?;
    site.close(&client, sock)?;
    check(&site.visit(&client)?.0, "destination", &name, "asked")?;
    site.server.close(site.at_server)?;
    let side = Side::receiver(&site.server, site.at_server.local, sock.local);
    lab.expect(&side, &place.capture).map(drop)
}

pub(super) fn ipv4_options(lab: &Lab<'_>) -> Result<()> {
    // Three times no operation, then the end: ip(7).
    with_option(lab, Family::V4, A, &[(libc::IPPROTO_IP, libc::IP_OPTIONS, &[1, 1, 1, 0])])
}

pub(super) fn ipv6_extension_headers(lab: &Lab<'_>) -> Result<()> {
    // Padding, and an experimental option (RFC 4727) that receivers skip: ipv6(7), RFC 3542.
    let short: &[u8] = &[0, 0, 1, 4, 0, 0, 0, 0];
    let long: &[u8] = &[0, 1, 0x1e, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let level = libc::IPPROTO_IPV6;
    let options = [(level, libc::IPV6_HOPOPTS, short), (level, libc::IPV6_DSTOPTS, long)];
    with_option(lab, Family::V6, AAAA, &options)
}

/// The answer arrives behind a VLAN tag. No interface here takes it further, as it would on a host
/// that hands the tag on to a bridge or a guest; it names the address all the same.
pub(super) fn vlan(lab: &Lab<'_>) -> Result<()> {
    let (here, there) = lab.wire(true)?;
    let client = Puppet::spawn(&here.netns, "client")?;
    let server = Puppet::spawn(&there.netns, "names")?;
    super::site::wait_for_ring(client.pid(), true)?;
    let mut address = there.any_port(Family::V4)?;
    address.set_port(PORT);
    let at_server = server.udp(address)?;
    let sock = client.udp(here.any_port(Family::V4)?)?;
    let name = name_of(lab, "tagged");
    let query = message::query(6, &name, A);
    client.send_bytes(sock, &query, Some(at_server.local))?;
    server.receive(at_server, query.len() as u64)?;
    let records = [message::address(&name, ip(&there, Family::V4)?)];
    let answer = message::answer(6, &name, A, &records);
    let mac = here.netns.run(|| link::mac("wire"))?;
    let asking = Side::sender(&client, sock.local, at_server.local);
    let asked = Side::receiver(&server, at_server.local, sock.local);
    // The captures see what is injected, the sockets do not.
    let truth = [(&asking, &here), (&asked, &there)].map(|(side, place)| {
        let (transport, local, remote) = side.key();
        place.capture.seen(transport, local, remote)
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
    let one = lab.expect(&Side::connected(&client, at_client)?, &here.capture)?;
    lab.expect(&Side::accepted(&server, at_listener)?, &there.capture)?;
    lab.shared()?.expect_nth(lab.name, &asking, 0, || at_client_end)?;
    lab.shared()?.expect_nth(lab.name, &asked, 0, || at_server_end)?;
    check(&one, "destination", &name, "asked")
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

/// Answers that nobody asked for, and messages that make no sense, name nothing.
pub(super) fn forged(lab: &Lab<'_>) -> Result<()> {
    let place = lab.loopback()?;
    let site = Site::open(lab, lab.shared()?, &place, Family::V4)?;
    let client = site.client()?;
    let [asked, bank] = ["asked", "bank"].map(|host| name_of(lab, host));
    let address = ip(&place, Family::V4)?;
    let answer = |id, name: &str| message::answer(id, name, A, &[message::address(name, address)]);
    let stranger = message::answer(8, &asked, A, &[message::address(&bank, address)]);
    // A name that points at itself.
    let mut circle = vec![0, 8, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0, 0xc0, 12, 0, 1, 0, 1];
    circle.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, 1, 2, 3, 4]);
    let sock = client.udp(place.any_port(Family::V4)?)?;
    let answers = [answer(9, &asked), answer(8, &bank), circle, vec![0xff; 300], stranger];
    let answers: Vec<&[u8]> = answers.iter().map(Vec::as_slice).collect();
    site.exchange(&client, sock, &message::query(8, &asked, A), &answers)?;
    check(&site.visit(&client)?.0, "destination", "", "")?;
    // The agent is as well as before.
    site.exchange(&client, sock, &message::query(10, &asked, A), &[&answer(10, &asked)])?;
    check(&site.visit(&client)?.0, "destination", &asked, "asked")?;
    site.close(&client, sock)?;
    site.server.close(site.at_server)?;
    let side = Side::receiver(&site.server, site.at_server.local, sock.local);
    lab.expect(&side, &place.capture).map(drop)
}
