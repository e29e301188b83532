//! What a flow of the agent's own has to say.

use std::{fs, os::unix::fs::MetadataExt as _};

use socket_common::{Flow, PROTO_TCP, Traffic as Counts};

use super::traffic::{Exchange, PAYLOAD};

/// Inode numbers of the first namespaces of pids and of users, which never change.
const FIRST_PID_NAMESPACE: u64 = 0xefff_fffc;
const FIRST_USER_NAMESPACE: u64 = 0xefff_fffd;
/// Shortest and longest headers of TCP.
const TCP_HEADER: [u64; 2] = [20, 60];
const UDP_HEADER: u64 = 8;

/// Who is behind the flows; `None` where the kernel's numbers are not those that the agent sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) pid: Option<u32>,
    pub(super) uid: Option<u32>,
}

impl Identity {
    /// Identity of this process.
    pub(super) fn current() -> Self {
        let first = |name: &str, inode| {
            fs::metadata(format!("/proc/self/ns/{name}")).map_or(true, |file| file.ino() == inode)
        };
        Self {
            pid: first("pid", FIRST_PID_NAMESPACE).then(std::process::id),
            // SAFETY: no preconditions.
            uid: first("user", FIRST_USER_NAMESPACE).then(|| unsafe { libc::getuid() }),
        }
    }
}

/// What is wrong with the two flows of an exchange, the client's and the server's. `whole` says that the set
/// lacks no hook that counts packets: one that does has said so.
pub(super) fn judge(
    exchange: &Exchange,
    flows: [Option<&Flow>; 2],
    own: Identity,
    whole: bool,
) -> Result<(), String> {
    let name = exchange.name();
    let [Some(client), Some(server)] = flows else {
        let end = ["client", "server"][usize::from(flows[0].is_some())];
        let neither = flows == [None, None];
        return Err(if neither {
            format!("no {name}")
        } else {
            format!("{name} without the {end}")
        });
    };
    for (end, flow) in [("client", client), ("server", server)] {
        let owner = &flow.owner;
        let wrong = |what: &str, seen: u32, own: Option<u32>| match own {
            Some(own) if own != seen => {
                Err(format!("{name}: {what} of the {end} {seen}, not {own}"))
            }
            None if what == "process" && seen == 0 => Err(format!("{name}: no owner of the {end}")),
            _ => Ok(()),
        };
        wrong("process", owner.pid, own.pid)?;
        wrong("user", owner.uid, own.uid)?;
    }
    let ways = [
        ("to the server", sent(client), received(server), PAYLOAD[0]),
        ("to the client", sent(server), received(client), PAYLOAD[1]),
    ];
    for (way, sent, received, payload) in ways {
        let text = |[packets, bytes]: [u64; 2]| format!("{packets} packets, {bytes} bytes");
        if sent != received && whole {
            let (sent, received) = (text(sent), text(received));
            return Err(format!("{name}, {way}: {sent} were sent, {received} received"));
        }
        for counts in [sent, received] {
            if !plausible(exchange, counts, payload as u64, whole) {
                return Err(format!("{name}, {way}: {}", text(counts)));
            }
        }
    }
    Ok(())
}

fn sent(flow: &Flow) -> [u64; 2] {
    let Counts { packets_out, bytes_out, .. } = flow.traffic;
    [packets_out, bytes_out]
}

fn received(flow: &Flow) -> [u64; 2] {
    let Counts { packets_in, bytes_in, .. } = flow.traffic;
    [packets_in, bytes_in]
}

/// Whether so many packets and bytes can be what carried the payload one way.
fn plausible(exchange: &Exchange, [packets, bytes]: [u64; 2], payload: u64, whole: bool) -> bool {
    let network = if exchange.client.is_ipv4() { 20 } else { 40 };
    if exchange.protocol != PROTO_TCP {
        return packets == 1 && bytes == network + UDP_HEADER + payload;
    }
    // SYN, data and what acknowledges them; packets may be sent again, with the data.
    let least = if whole { 2 } else { 1 };
    let [shortest, longest] = TCP_HEADER.map(|header| network + header);
    packets >= least
        && bytes >= packets * shortest + payload
        && bytes <= packets * (longest + payload)
}

#[cfg(test)]
mod tests {
    use socket_common::{Owner, PROTO_UDP};

    use super::*;

    const OWN: Identity = Identity { pid: Some(40), uid: Some(0) };

    fn exchange(protocol: u8) -> Exchange {
        let [client, server] = ["127.0.0.1:5", "127.0.0.1:6"].map(|text| text.parse().unwrap());
        Exchange { protocol, client, server }
    }

    fn flow(out: [u64; 2], into: [u64; 2]) -> Flow {
        let traffic = Counts {
            packets_out: out[0],
            bytes_out: out[1],
            packets_in: into[0],
            bytes_in: into[1],
        };
        Flow { owner: Owner { pid: 40, ..Owner::default() }, traffic, ..Flow::default() }
    }

    fn judged(protocol: u8, client: Flow, server: Flow) -> Result<(), String> {
        judge(&exchange(protocol), [Some(&client), Some(&server)], OWN, true)
    }

    #[test]
    fn what_was_counted_alike_at_both_ends_is_right() {
        let (out, back) = ([5, 60 + 4 * 52 + 100], [3, 60 + 2 * 52 + 50]);
        assert_eq!(judged(PROTO_TCP, flow(out, back), flow(back, out)), Ok(()));
        let (out, back) = ([1, 128], [1, 78]);
        assert_eq!(judged(PROTO_UDP, flow(out, back), flow(back, out)), Ok(()));
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        let tcp = exchange(PROTO_TCP);
        let (out, back) = ([5, 368], [3, 214]);
        let (client, server) = (flow(out, back), flow(back, out));
        let missing = |flows| judge(&tcp, flows, OWN, true).unwrap_err();
        assert_eq!(missing([None, None]), "no TCP connection over IPv4");
        assert!(missing([Some(&client), None]).ends_with("without the server"));
        assert!(missing([None, Some(&server)]).ends_with("without the client"));

        let error = judged(PROTO_TCP, client, flow(back, [4, 316])).unwrap_err();
        assert!(error.contains("5 packets, 368 bytes were sent, 4 packets, 316 bytes received"));
        let nothing = flow([0, 0], [0, 0]);
        assert!(judged(PROTO_TCP, nothing, nothing).is_err());
        let datagram = flow([1, 129], [1, 78]);
        assert!(judged(PROTO_UDP, datagram, flow([1, 78], [1, 129])).is_err());

        let other = Flow { owner: Owner { pid: 41, ..Owner::default() }, ..client };
        let error = judged(PROTO_TCP, other, server).unwrap_err();
        assert!(error.contains("process of the client 41, not 40"), "{error}");
        let nobody = Flow { owner: Owner::default(), ..client };
        let elsewhere = Identity { pid: None, uid: None };
        let error = judge(&tcp, [Some(&nobody), Some(&server)], elsewhere, true).unwrap_err();
        assert!(error.contains("no owner of the client"), "{error}");
    }

    #[test]
    fn a_set_that_lacks_hooks_may_lack_packets() {
        let (client, server) = (flow([5, 368], [2, 154]), flow([3, 214], [5, 368]));
        let flows = [Some(&client), Some(&server)];
        assert!(judge(&exchange(PROTO_TCP), flows, OWN, true).is_err());
        assert_eq!(judge(&exchange(PROTO_TCP), flows, OWN, false), Ok(()));
    }
}
