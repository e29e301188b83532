//! Kinds of packets that DNS messages travel in.

use anyhow::Result;

use super::{
    asking::{ip, name_of},
    message::{self, A, AAAA},
    site::{Site, check},
};
use crate::{
    endpoint::Family,
    expect::Side,
    fixture::Fixture,
    worker::{Command, Sock, Worker},
};

/// The answer does not fit; the client asks again over TCP, where it comes in pieces.
pub(super) fn truncated_then_tcp(fixture: &Fixture<'_>) -> Result<()> {
    let endpoint = fixture.loopback()?;
    let site = Site::open(fixture, fixture.shared()?, &endpoint, Family::V4)?;
    let client = site.client()?;
    let name = name_of(fixture, "long");
    let query = message::query(3, &name, A);
    let sock = client.udp(endpoint.any_port(Family::V4)?)?;
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
    records.insert(7, message::address(&name, ip(&endpoint, Family::V4)?));
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
    fixture.expect(&Side::connected(&client, at_client)?, &endpoint.capture)?;
    fixture.expect(&Side::accepted(&site.server, at_server)?, &endpoint.capture)?;

    check(&site.visit(&client)?.0, "destination", &name, "asked")?;
    site.server.close(site.at_server)?;
    fixture.expect(&side, &endpoint.capture).map(drop)
}

fn with_option(
    fixture: &Fixture<'_>,
    family: Family,
    kind: u16,
    options: &[(i32, i32, &[u8])],
) -> Result<()> {
    let endpoint = fixture.loopback()?;
    let site = Site::open(fixture, fixture.shared()?, &endpoint, family)?;
    let client = site.client()?;
    let name = name_of(fixture, "odd");
    let set = |worker: &Worker, sock: Sock| -> Result<()> {
        for (level, name, value) in options {
            let (fd, value) = (sock.fd, value.to_vec());
            worker.step(&Command::SetOption { fd, level: *level, name: *name, value })?;
        }
        Ok(())
    };
    let sock = client.udp(endpoint.any_port(family)?)?;
    set(&client, sock)?;
    set(&site.server, site.at_server)?;
    let records = [message::address(&name, ip(&endpoint, family)?)];
    let (query, answer) =
        (message::query(5, &name, kind), message::answer(5, &name, kind, &records));
    site.exchange(&client, sock, &query, &[&answer])?;
    site.close(&client, sock)?;
    check(&site.visit(&client)?.0, "destination", &name, "asked")?;
    site.server.close(site.at_server)?;
    let side = Side::receiver(&site.server, site.at_server.local, sock.local);
    fixture.expect(&side, &endpoint.capture).map(drop)
}

pub(super) fn ipv4_options(fixture: &Fixture<'_>) -> Result<()> {
    // Three times no operation, then the end: ip(7).
    with_option(fixture, Family::V4, A, &[(libc::IPPROTO_IP, libc::IP_OPTIONS, &[1, 1, 1, 0])])
}

pub(super) fn ipv6_extension_headers(fixture: &Fixture<'_>) -> Result<()> {
    // Padding, and an experimental option (RFC 4727) that receivers skip: ipv6(7), RFC 3542.
    let short: &[u8] = &[0, 0, 1, 4, 0, 0, 0, 0];
    let long: &[u8] = &[0, 1, 0x1e, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let level = libc::IPPROTO_IPV6;
    let options = [(level, libc::IPV6_HOPOPTS, short), (level, libc::IPV6_DSTOPTS, long)];
    with_option(fixture, Family::V6, AAAA, &options)
}

/// Answers that nobody asked for, and messages that make no sense, name nothing.
pub(super) fn forged(fixture: &Fixture<'_>) -> Result<()> {
    let endpoint = fixture.loopback()?;
    let site = Site::open(fixture, fixture.shared()?, &endpoint, Family::V4)?;
    let client = site.client()?;
    let [asked, bank] = ["asked", "bank"].map(|host| name_of(fixture, host));
    let address = ip(&endpoint, Family::V4)?;
    let answer = |id, name: &str| message::answer(id, name, A, &[message::address(name, address)]);
    let stranger = message::answer(8, &asked, A, &[message::address(&bank, address)]);
    // A name that points at itself.
    let mut circle = vec![0, 8, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0, 0xc0, 12, 0, 1, 0, 1];
    circle.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, 1, 2, 3, 4]);
    let sock = client.udp(endpoint.any_port(Family::V4)?)?;
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
    fixture.expect(&side, &endpoint.capture).map(drop)
}
