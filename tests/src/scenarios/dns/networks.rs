//! Private addresses, which mean other hosts in other network namespaces.

use std::net::IpAddr;

use anyhow::Result;

use super::{
    asking::{ip, name_of},
    message::{self, A},
    site::{Site, check, wait_until_seen},
};
use crate::{
    agent::Doc,
    capture::Capture,
    endpoint::{Endpoint, Family},
    expect::Side,
    fixture::Fixture,
    net::{
        Netns, link,
        watch::{Usable, Watch},
    },
    worker::{Sock, Worker},
};

/// A client asks for a name over a wire, of a server at the other end.
fn ask(
    fixture: &Fixture<'_>,
    site: &Site<'_>,
    client: &Worker,
    here: &Endpoint,
    at: IpAddr,
) -> Result<String> {
    wait_until_seen(fixture.shared()?, client.pid())?;
    let name = name_of(fixture, "apart");
    let sock = client.udp(here.any_port(Family::V4)?)?;
    let records = [message::address(&name, at)];
    let (query, answer) = (message::query(9, &name, A), message::answer(9, &name, A, &records));
    site.exchange(client, sock, &query, &[&answer])?;
    client.close(sock)?;
    let (near, far) = (sock.local, site.at_server.local);
    fixture.expect(&Side::sender(client, near, far), &here.capture)?;
    site.server.close(site.at_server)?;
    fixture.expect(&Side::receiver(&site.server, far, near), &site.endpoint.capture)?;
    Ok(name)
}

/// A connection; the documents of both ends.
fn visit(
    fixture: &Fixture<'_>,
    (client, from): (&Worker, &Capture),
    (server, listener, to): (&Worker, Sock, &Capture),
) -> Result<(Doc, Doc)> {
    let at_client = client.connect(listener.local)?;
    let at_server = server.accept(listener)?;
    client.close(at_client)?;
    server.drain(at_server, 0)?;
    server.close(at_server)?;
    let one = fixture.expect(&Side::connected(client, at_client)?, from)?;
    let two = fixture.expect(&Side::accepted(server, at_server)?, to)?;
    Ok((one, two))
}

/// Two networks with the same addresses. A name that was asked for in one says nothing of the other.
pub(super) fn overlapping(fixture: &Fixture<'_>) -> Result<()> {
    let (here, there) = fixture.wire(true)?;
    let (other_here, other_there) = fixture.wire(true)?;
    let site = Site::open(fixture, fixture.shared()?, &there, Family::V4)?;
    let client = Worker::spawn(&here.netns, "client")?;
    let name = ask(fixture, &site, &client, &here, ip(&there, Family::V4)?)?;

    let listener = site.server.listen(there.any_port(Family::V4)?)?;
    let server = (&site.server, listener, &there.capture);
    let (one, two) = visit(fixture, (&client, &here.capture), server)?;
    check(&one, "destination", &name, "asked")?;
    check(&two, "own", &name, "host")?;
    let neighbour = Worker::spawn(&here.netns, "neighbour")?;
    let (one, _) = visit(fixture, (&neighbour, &here.capture), server)?;
    check(&one, "destination", &name, "host")?;

    let stranger = Worker::spawn(&other_here.netns, "stranger")?;
    let other = Worker::spawn(&other_there.netns, "other")?;
    let listener = other.listen(other_there.any_port(Family::V4)?)?;
    let other = (&other, listener, &other_there.capture);
    let (one, two) = visit(fixture, (&stranger, &other_here.capture), other)?;
    check(&one, "destination", "", "")?;
    check(&two, "own", "", "")
}

/// Device of the second network of the router.
const FAR: &str = "far";

/// A host that routes for a container means by an address what the container means.
pub(super) fn router(fixture: &Fixture<'_>) -> Result<()> {
    const ROUTER: [u8; 4] = [10, 216, 0, 1];
    const BEHIND: [u8; 4] = [10, 216, 0, 2];
    let (here, router) = fixture.wire(true)?;
    let behind = Netns::create()?;
    link::veth(FAR, &router.netns, &behind)?;
    let mut watches = Vec::new();
    for (netns, address) in [(&router.netns, ROUTER), (&behind, BEHIND)] {
        watches.push(netns.run(|| {
            let watch = Watch::open()?;
            crate::net::ethtool::set_offloads(FAR, true)?;
            link::up(FAR)?;
            link::add_address(FAR, address.into(), 24)?;
            Ok((watch, link::index(FAR)?))
        })?);
    }
    for (watch, index) in watches {
        watch.wait([Usable::Interface(index)])?;
    }
    router.netns.set("net/ipv4/ip_forward", "1")?;
    let gateway = ip(&router, Family::V4)?;
    here.netns.run(|| link::add_default_route(gateway))?;
    behind.run(|| link::add_default_route(ROUTER.into()))?;
    let at_router = Capture::start(&router.netns, FAR)?;
    let at_end = Capture::start(&behind, FAR)?;

    let site = Site::open(fixture, fixture.shared()?, &router, Family::V4)?;
    let client = Worker::spawn(&here.netns, "client")?;
    let name = ask(fixture, &site, &client, &here, BEHIND.into())?;
    let server = Worker::spawn(&behind, "behind")?;
    let listener = server.listen((BEHIND, 0).into())?;
    let (one, _) = visit(fixture, (&client, &here.capture), (&server, listener, &at_end))?;
    check(&one, "destination", &name, "asked")?;
    let (one, _) = visit(fixture, (&site.server, &at_router), (&server, listener, &at_end))?;
    check(&one, "destination", &name, "host")
}
