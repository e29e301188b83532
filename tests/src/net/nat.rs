//! Address translation: rules of nftables, in the kernel's own words.
//!
//! Source: linux/netfilter/nf_tables.h.

use std::net::{IpAddr, SocketAddr};

use anyhow::{Context, Result, ensure};
use netlink_packet_core::{NLM_F_ACK, NLM_F_CREATE, NLM_F_REQUEST};
use netlink_sys::{Socket, SocketAddr as Address, protocols::NETLINK_NETFILTER};

use crate::{capture::Transport, skip::skip};

const NFNL_SUBSYS_NFTABLES: u16 = 10;
const NFNL_MSG_BATCH_BEGIN: u16 = 16;
const NFNL_MSG_BATCH_END: u16 = 17;
const NFT_MSG_NEWTABLE: u16 = 0;
const NFT_MSG_NEWCHAIN: u16 = 3;
const NFT_MSG_NEWRULE: u16 = 6;

const NF_INET_LOCAL_OUT: u32 = 3;
const NF_INET_POST_ROUTING: u32 = 4;
const NF_IP_PRI_NAT_DST: i32 = -100;
const NF_IP_PRI_NAT_SRC: i32 = 100;

const NFT_META_L4PROTO: u32 = 16;
const NFT_PAYLOAD_TRANSPORT_HEADER: u32 = 2;
const NFT_NAT_DNAT: u32 = 1;
const NFT_REG_1: u32 = 1;
const NFT_REG_2: u32 = 2;

const TABLE: &str = "scenario";
/// Bytes of a netlink header.
const HEADER: usize = 16;

/// Sends what sockets of the calling thread's namespace send to `port`, whatever the address, to `target`
/// instead, as a rule of OUTPUT does.
///
/// # Errors
/// A skip where the kernel has no such rules.
pub fn redirect(transport: Transport, port: u16, target: SocketAddr) -> Result<()> {
    let family = if target.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 } as u8;
    let protocol = match transport {
        Transport::Tcp => libc::IPPROTO_TCP,
        Transport::Udp => libc::IPPROTO_UDP,
    } as u8;
    let address = match target.ip() {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    };
    // `meta l4proto PROTOCOL th dport PORT dnat to ADDRESS:PORT`
    let expressions = [
        expression("meta", &[(1, word(NFT_REG_1)), (2, word(NFT_META_L4PROTO))]),
        compare(&[protocol]),
        expression(
            "payload",
            &[
                (1, word(NFT_REG_1)),
                (2, word(NFT_PAYLOAD_TRANSPORT_HEADER)),
                (3, word(2)),
                (4, word(2)),
            ],
        ),
        compare(&port.to_be_bytes()),
        immediate(NFT_REG_1, &address),
        immediate(NFT_REG_2, &target.port().to_be_bytes()),
        expression(
            "nat",
            &[
                (1, word(NFT_NAT_DNAT)),
                (2, word(family.into())),
                (3, word(NFT_REG_1)),
                (5, word(NFT_REG_2)),
            ],
        ),
    ];
    let rule = [
        attribute(1, &text(TABLE)),
        attribute(2, &text("output")),
        attribute(4 | NESTED, &expressions.concat()),
    ];
    let messages = [
        (NFT_MSG_NEWTABLE, attribute(1, &text(TABLE))),
        (NFT_MSG_NEWCHAIN, chain("output", NF_INET_LOCAL_OUT, NF_IP_PRI_NAT_DST)),
        // Kernels before 4.18 translate answers back only where there is a chain for it.
        (NFT_MSG_NEWCHAIN, chain("postrouting", NF_INET_POST_ROUTING, NF_IP_PRI_NAT_SRC)),
        (NFT_MSG_NEWRULE, rule.concat()),
    ];
    commit(family, &messages)
}

/// Sends all messages as one transaction and waits for the kernel's answers.
fn commit(family: u8, messages: &[(u16, Vec<u8>)]) -> Result<()> {
    let unavailable = |error: &std::io::Error| skip(format!("no rules of nftables here: {error}"));
    let mut socket = Socket::new(NETLINK_NETFILTER).map_err(|error| unavailable(&error))?;
    socket.bind_auto()?;
    socket.connect(&Address::new(0, 0))?;
    let request = NLM_F_REQUEST;
    let frame = |kind| message(kind, request, 0, 0, NFNL_SUBSYS_NFTABLES, &[]);
    let mut batch = frame(NFNL_MSG_BATCH_BEGIN);
    for (sequence, (kind, attributes)) in (1..).zip(messages) {
        let kind = NFNL_SUBSYS_NFTABLES << 8 | kind;
        let flags = request | NLM_F_CREATE | NLM_F_ACK;
        batch.extend(message(kind, flags, sequence, family, 0, attributes));
    }
    batch.extend(frame(NFNL_MSG_BATCH_END));
    socket.send(&batch, 0)?;
    let mut acknowledged = 0;
    while acknowledged < messages.len() {
        let (reply, _) = socket.recv_from_full()?;
        let mut rest = reply.as_slice();
        while let Some(length) = rest.first_chunk().map(|bytes| u32::from_ne_bytes(*bytes)) {
            // `struct nlmsgerr`: an errno below zero, then what it is about.
            let code = rest.get(HEADER..).and_then(<[u8]>::first_chunk).context("a short reply")?;
            let code = i32::from_ne_bytes(*code);
            if code != 0 {
                return Err(unavailable(&std::io::Error::from_raw_os_error(-code)));
            }
            acknowledged += 1;
            let length = (length as usize).next_multiple_of(4);
            ensure!(length >= HEADER, "a reply of {length} bytes");
            rest = rest.get(length..).unwrap_or_default();
        }
    }
    Ok(())
}

/// `NLA_F_NESTED`.
const NESTED: u16 = 1 << 15;

fn message(
    kind: u16,
    flags: u16,
    sequence: u32,
    family: u8,
    subsystem: u16,
    attributes: &[u8],
) -> Vec<u8> {
    let mut bytes = ((HEADER + 4 + attributes.len()) as u32).to_ne_bytes().to_vec();
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(flags.to_ne_bytes());
    bytes.extend(sequence.to_ne_bytes());
    bytes.extend([0; 4]);
    // `struct nfgenmsg`
    bytes.extend([family, 0]);
    bytes.extend(subsystem.to_be_bytes());
    bytes.extend(attributes);
    bytes
}

fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let mut bytes = ((4 + value.len()) as u16).to_ne_bytes().to_vec();
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

fn text(text: &str) -> Vec<u8> {
    [text.as_bytes(), &[0]].concat()
}

fn word(value: u32) -> Vec<u8> {
    value.to_be_bytes().to_vec()
}

fn chain(name: &str, hook: u32, priority: i32) -> Vec<u8> {
    let place = [attribute(1, &word(hook)), attribute(2, &priority.to_be_bytes())].concat();
    [
        attribute(1, &text(TABLE)),
        attribute(3, &text(name)),
        attribute(4 | NESTED, &place),
        attribute(7, &text("nat")),
    ]
    .concat()
}

fn expression(name: &str, attributes: &[(u16, Vec<u8>)]) -> Vec<u8> {
    let data: Vec<u8> =
        attributes.iter().flat_map(|(kind, value)| attribute(*kind, value)).collect();
    attribute(1 | NESTED, &[attribute(1, &text(name)), attribute(2 | NESTED, &data)].concat())
}

fn compare(value: &[u8]) -> Vec<u8> {
    let equal = word(0);
    expression("cmp", &[(1, word(NFT_REG_1)), (2, equal), (3 | NESTED, attribute(1, value))])
}

fn immediate(register: u32, value: &[u8]) -> Vec<u8> {
    expression("immediate", &[(1, word(register)), (2 | NESTED, attribute(1, value))])
}
