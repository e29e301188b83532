//! Sockets that were open before the probes, and who holds them: from `/proc`.

use std::{
    collections::{HashMap, HashSet},
    fs,
    os::unix::fs::MetadataExt,
};

use socket_common::{FAMILY_IPV4, FAMILY_IPV6, PROTO_TCP, PROTO_UDP, Tuple};

use super::tasks::pids;

/// Tables of sockets in `/proc/PID/net`.
const TABLES: [(&str, u8, u8); 4] = [
    ("tcp", FAMILY_IPV4, PROTO_TCP),
    ("tcp6", FAMILY_IPV6, PROTO_TCP),
    ("udp", FAMILY_IPV4, PROTO_UDP),
    ("udp6", FAMILY_IPV6, PROTO_UDP),
];

/// The process that holds each socket of this host, as far as `/proc` shows. Sockets without a peer
/// have a tuple whose remote end is zero.
pub(super) fn holders() -> HashMap<Tuple, u32> {
    let (mut inodes, mut namespaces) = (HashMap::new(), HashSet::new());
    let mut sockets: Vec<(Tuple, u64)> = Vec::new();
    for pid in pids() {
        let namespace = fs::metadata(format!("/proc/{pid}/ns/net")).map_or(0, |ns| ns.ino());
        if namespaces.insert(namespace) {
            for (name, family, protocol) in TABLES {
                let text = fs::read_to_string(format!("/proc/{pid}/net/{name}"));
                let netns = u32::try_from(namespace).unwrap_or(0);
                sockets.extend(parse(&text.unwrap_or_default(), family, protocol, netns));
            }
        }
        let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten();
        for link in descriptors.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok()) {
            let inode = link.to_str().and_then(|text| {
                text.strip_prefix("socket:[")?.strip_suffix(']')?.parse::<u64>().ok()
            });
            if let Some(inode) = inode {
                inodes.entry(inode).or_insert(pid);
            }
        }
    }
    let held = sockets
        .into_iter()
        .filter_map(|(tuple, inode)| inodes.get(&inode).map(|pid| (tuple, *pid)));
    held.collect()
}

/// Tuple and inode of each socket in the text of a table.
fn parse(text: &str, family: u8, protocol: u8, netns: u32) -> Vec<(Tuple, u64)> {
    let rows = text.lines().skip(1).filter_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let ((local, local_port), (remote, remote_port)) =
            (end(fields.get(1)?)?, end(fields.get(2)?)?);
        let inode = fields.get(9)?.parse().ok()?;
        let tuple = Tuple {
            local,
            remote,
            local_port,
            remote_port,
            netns,
            family,
            protocol,
            ..Tuple::default()
        };
        Some((plain(tuple), inode))
    });
    rows.collect()
}

/// `ADDRESS:PORT`, the address as hexadecimal words of the host's byte order.
fn end(text: &str) -> Option<([u32; 4], u16)> {
    let (address, port) = text.split_once(':')?;
    let mut words = [0; 4];
    for (index, word) in words.iter_mut().enumerate().take(address.len() / 8) {
        *word = u32::from_str_radix(address.get(8 * index..8 * index + 8)?, 16).ok()?;
    }
    Some((words, u16::from_str_radix(port, 16).ok()?))
}

/// With IPv4-mapped addresses as IPv4.
fn plain(mut tuple: Tuple) -> Tuple {
    let mapped = |end: [u32; 4]| end[0] == 0 && end[1] == 0 && end[2] == 0xffff_u32.to_be();
    if tuple.family == FAMILY_IPV6 && mapped(tuple.remote) {
        tuple.family = FAMILY_IPV4;
        tuple.local = [tuple.local[3], 0, 0, 0];
        tuple.remote = [tuple.remote[3], 0, 0, 0];
    }
    tuple
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn rows_of_a_table() {
        let text = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
             0: 0100007F:1F90 0200007F:0050 01 00000000:00000000 00:00000000 00000000  1000        0 4711 1 x\n";
        let rows = parse(text, FAMILY_IPV4, PROTO_TCP, 5);
        assert_eq!(rows.len(), 1);
        let (tuple, inode) = rows[0];
        assert_eq!((inode, tuple.local_port, tuple.remote_port, tuple.netns), (4711, 8080, 80, 5));
        if cfg!(target_endian = "little") {
            assert_eq!(tuple.local[0].to_ne_bytes(), [127, 0, 0, 1]);
        }
    }

    #[test]
    fn mapped_addresses_are_ipv4() {
        let text = "head\n 0: 0000000000000000FFFF00000100007F:0016 0000000000000000FFFF00000200007F:0017 01 0 0 0 0 0 9 1\n";
        let rows = parse(text, FAMILY_IPV6, PROTO_TCP, 0);
        assert_eq!(rows[0].0.family, FAMILY_IPV4);
        assert_eq!(rows[0].0.local[1..], [0; 3]);
    }

    #[test]
    fn a_listener_of_this_process_is_found() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let found = holders().into_iter().find(|(tuple, _)| {
            tuple.local_port == port && tuple.remote_port == 0 && tuple.protocol == PROTO_TCP
        });
        assert_eq!(found.map(|(_, pid)| pid), Some(std::process::id()));
    }
}
