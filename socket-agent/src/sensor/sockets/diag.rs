//! `NETLINK_SOCK_DIAG`: the kernel's own list of sockets.
//!
//! Source: sock_diag(7).

use std::{io, net::IpAddr};

use netlink_packet_core::{
    NLM_F_DUMP, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_sock_diag::{
    AF_INET, AF_INET6, IPPROTO_TCP, IPPROTO_UDP, SockDiagMessage,
    inet::{ExtensionFlags, InetRequest, InetResponse, SocketId, StateFlags},
};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_SOCK_DIAG};
use socket_common::{FAMILY_IPV4, FAMILY_IPV6, Tuple};

use super::{OpenSocket, SocketRole};

/// The kernel fills replies up to this length.
const BUFFER: usize = 64 << 10;

/// All TCP and UDP sockets of the network namespace this thread is in; the roles of connections are
/// not known yet. Connections in TIME_WAIT and handshakes have no socket that anyone could own.
///
/// # Errors
///
/// The kernel's refusal.
pub(super) fn dump(netns: u32) -> io::Result<Vec<OpenSocket>> {
    let mut socket = Socket::new(NETLINK_SOCK_DIAG)?;
    socket.bind_auto()?;
    socket.connect(&SocketAddr::new(0, 0))?;
    let mut found = Vec::new();
    for protocol in [IPPROTO_TCP, IPPROTO_UDP] {
        for (family, id) in [(AF_INET, SocketId::new_v4()), (AF_INET6, SocketId::new_v6())] {
            let states = match protocol {
                IPPROTO_TCP => {
                    StateFlags::all()
                        - StateFlags::TIME_WAIT
                        - StateFlags::SYN_RECV
                        - StateFlags::CLOSE
                }
                _ => StateFlags::all(),
            };
            let extensions = ExtensionFlags::empty();
            let request = InetRequest { family, protocol, extensions, states, socket_id: id };
            let each = |response: &InetResponse| found.push(open(response, protocol, netns));
            match ask(&socket, request, each) {
                // A kernel without this family, or without the module for this protocol.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    log::debug!(
                        target: "sensor",
                        "no list of sockets of protocol {protocol}, family {family}: {error}"
                    );
                }
                other => other?,
            }
        }
    }
    Ok(found)
}

fn ask(
    socket: &Socket,
    request: InetRequest,
    mut each: impl FnMut(&InetResponse),
) -> io::Result<()> {
    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_REQUEST | NLM_F_DUMP;
    let payload = NetlinkPayload::from(SockDiagMessage::InetRequest(request));
    let mut message = NetlinkMessage::new(header, payload);
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    socket.send(&bytes, 0)?;

    let mut buffer = bytes;
    loop {
        buffer.clear();
        buffer.reserve(BUFFER);
        socket.recv(&mut buffer, 0)?;
        let mut rest = buffer.as_slice();
        while !rest.is_empty() {
            let reply = NetlinkMessage::<SockDiagMessage>::deserialize(rest)
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.to_string()))?;
            // Messages are aligned to four bytes.
            let length = (reply.header.length as usize).next_multiple_of(4).max(16);
            match reply.payload {
                NetlinkPayload::InnerMessage(SockDiagMessage::InetResponse(response)) => {
                    each(&response);
                }
                NetlinkPayload::Done(_) => return Ok(()),
                NetlinkPayload::Error(error) => return Err(error.to_io()),
                _ => {}
            }
            rest = rest.get(length..).unwrap_or_default();
        }
    }
}

fn open(response: &InetResponse, protocol: u8, netns: u32) -> OpenSocket {
    let header = &response.header;
    let id = &header.socket_id;
    let connected = id.destination_port != 0;
    let (mut local, mut remote) = (id.source_address, id.destination_address);
    // IPv4 through an IPv6 socket; one without a peer may take both.
    if connected || !local.is_unspecified() {
        (local, remote) = (local.to_canonical(), remote.to_canonical());
    }
    let tuple = Tuple {
        local: words(local),
        remote: if connected { words(remote) } else { [0; 4] },
        local_port: id.source_port,
        remote_port: id.destination_port,
        netns,
        family: if local.is_ipv4() { FAMILY_IPV4 } else { FAMILY_IPV6 },
        protocol,
        ..Tuple::default()
    };
    OpenSocket {
        tuple,
        role: SocketRole::Outbound,
        state: header.state,
        inode: header.inode.into(),
        uid: header.uid,
        holder: None,
    }
}

fn words(address: IpAddr) -> [u32; 4] {
    let mut bytes = [0; 16];
    match address {
        IpAddr::V4(v4) => bytes[..4].copy_from_slice(&v4.octets()),
        IpAddr::V6(v6) => bytes = v6.octets(),
    }
    Tuple::address_words(bytes)
}
