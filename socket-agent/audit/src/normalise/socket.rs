//! Ends of connections.

use std::net::IpAddr;

use super::text::Text;
use crate::records::{Key, Kind, Record, SocketAddress};

/// One end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Endpoint<'a> {
    /// Address; IPv4 in its own form, also on a socket of IPv6, as flows have it.
    pub ip: Option<IpAddr>,
    /// Port.
    pub port: Option<u16>,
    /// Path of a unix socket; `@` begins a name in the abstract name space.
    pub path: Option<String>,
    /// A host's name.
    pub domain: Option<Text<'a>>,
}

impl<'a> Endpoint<'a> {
    /// `None` for addresses that say nothing about an end, such as netlink's.
    pub(super) fn of(address: &SocketAddress) -> Option<Self> {
        match address {
            SocketAddress::Ip { ip, port } => {
                Some(Self { ip: Some(ip.to_canonical()), port: Some(*port), ..Self::default() })
            }
            SocketAddress::Unix(path) if path.is_empty() => None,
            SocketAddress::Unix(_) | SocketAddress::Abstract(_) => {
                Some(Self { path: path(address), ..Self::default() })
            }
            _ => None,
        }
    }

    /// From `addr` and `hostname` of a record.
    pub(super) fn of_record(record: &'a Record) -> Option<Self> {
        let address = record.text(Key::ADDR)?;
        let domain = record.text(Key::HOSTNAME).filter(|name| name.parse::<IpAddr>().is_err());
        let port = record.number(Key::RPORT).or_else(|| record.number(Key::PORT));
        match address.parse::<IpAddr>() {
            Ok(ip) => Some(Self {
                ip: Some(ip.to_canonical()),
                port: port.and_then(|port| u16::try_from(port).ok()),
                domain,
                path: None,
            }),
            Err(_) => Some(Self { domain: Some(address), ..Self::default() }),
        }
    }
}

/// Path or name of a unix socket.
pub(super) fn path(address: &SocketAddress) -> Option<String> {
    match address {
        SocketAddress::Unix(path) => Some(String::from_utf8_lossy(path).into_owned()),
        SocketAddress::Abstract(name) => Some(format!("@{}", String::from_utf8_lossy(name))),
        _ => None,
    }
}

/// The address of a socket call.
pub(super) fn address(records: &[Record]) -> Option<SocketAddress> {
    super::text::of_kind(records, Kind::SOCKADDR)?.socket_address()
}
