//! Who began a conversation, and which of its ends is therefore the client.

use socket_common::{Began, PROTO_TCP, Tuple};

use super::Direction;

/// An end of a conversation, as seen from this host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The socket on this host.
    Local,
    /// The peer.
    Remote,
}

/// Facts about the beginning of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Beginning {
    /// Kind of the first event that was seen.
    pub began: Began,
    /// The socket is older than the agent (UDP): what was seen first may be an answer.
    pub existing: bool,
    /// Whether the local port has a listening socket (UDP: a bound one without peer) in the flow's
    /// network namespace; `None` if this is not known. It matters only for flows whose beginning was
    /// not seen.
    pub listening: Option<bool>,
}

/// The direction of a flow.
///
/// `ephemeral` is the first port that this host gives to sockets that ask for none.
pub fn direction(beginning: Beginning, tuple: &Tuple, ephemeral: u16) -> Direction {
    let Beginning { began, existing, listening } = beginning;
    match (began, listening) {
        (Began::Connect, _) => Direction::Egress,
        (Began::Accept, _) => Direction::Ingress,
        (Began::Send | Began::Receive, _) => {
            let first = if began == Began::Send { Direction::Egress } else { Direction::Ingress };
            let by_port = existing.then(|| by_port(tuple, ephemeral)).flatten();
            by_port.unwrap_or(first)
        }
        (Began::Existing | Began::Midway, Some(true)) => Direction::Ingress,
        // An accepted connection almost always has its listener still beside it.
        (Began::Existing, Some(false)) if tuple.protocol == PROTO_TCP => Direction::Egress,
        (Began::Existing | Began::Midway, _) => Direction::Unknown,
    }
}

/// Servers choose their port, clients are given theirs: tells if exactly one end was.
fn by_port(tuple: &Tuple, ephemeral: u16) -> Option<Direction> {
    match (tuple.local_port < ephemeral, tuple.remote_port < ephemeral) {
        (true, false) => Some(Direction::Ingress),
        (false, true) => Some(Direction::Egress),
        _ => None,
    }
}

/// The end that is source and client. The other one is destination and server.
///
/// With an unknown direction it is the end with the higher port, the local one on equal ports.
pub fn client(direction: Direction, tuple: &Tuple) -> End {
    match direction {
        Direction::Egress => End::Local,
        Direction::Ingress => End::Remote,
        Direction::Unknown if tuple.remote_port > tuple.local_port => End::Remote,
        Direction::Unknown => End::Local,
    }
}

/// Reads [`Flow::began`](socket_common::Flow::began); a value that no version writes is `Midway`.
pub fn began(raw: u8) -> Began {
    [Began::Connect, Began::Accept, Began::Send, Began::Receive, Began::Existing]
        .into_iter()
        .find(|began| *began as u8 == raw)
        .unwrap_or(Began::Midway)
}

#[cfg(test)]
mod tests {
    use socket_common::PROTO_UDP;

    use super::*;

    const EPHEMERAL: u16 = 32_768;

    fn tuple(protocol: u8, local_port: u16, remote_port: u16) -> Tuple {
        Tuple { protocol, local_port, remote_port, ..Tuple::default() }
    }

    fn check(beginning: Beginning, tuple: &Tuple, expected: Direction) {
        let found = direction(beginning, tuple, EPHEMERAL);
        assert_eq!(found, expected, "{beginning:?} {tuple:?}");
    }

    #[test]
    fn a_seen_beginning_decides_whatever_listens_and_whatever_the_ports() {
        for (protocol, began, expected) in [
            (PROTO_TCP, Began::Connect, Direction::Egress),
            (PROTO_TCP, Began::Accept, Direction::Ingress),
            (PROTO_UDP, Began::Send, Direction::Egress),
            (PROTO_UDP, Began::Receive, Direction::Ingress),
        ] {
            for listening in [None, Some(false), Some(true)] {
                for (local, remote) in [(53, 40_000), (40_000, 53), (500, 500), (40_000, 50_000)] {
                    let beginning = Beginning { began, existing: false, listening };
                    check(beginning, &tuple(protocol, local, remote), expected);
                }
            }
        }
    }

    #[test]
    fn of_an_older_udp_socket_the_ports_decide_before_the_first_packet() {
        use Direction::{Egress, Ingress};
        for (began, local, remote, expected) in [
            // A server's answer, and a question to it.
            (Began::Send, 53, 40_000, Ingress),
            (Began::Receive, 53, 40_000, Ingress),
            // A client's question, and the answer to it.
            (Began::Send, 40_000, 53, Egress),
            (Began::Receive, 40_000, 53, Egress),
            // Ports that say nothing.
            (Began::Send, 123, 123, Egress),
            (Began::Receive, 123, 123, Ingress),
            (Began::Send, 40_000, 50_000, Egress),
            (Began::Receive, 40_000, 50_000, Ingress),
            (Began::Send, EPHEMERAL, EPHEMERAL - 1, Egress),
            (Began::Send, EPHEMERAL - 1, EPHEMERAL, Ingress),
        ] {
            let beginning = Beginning { began, existing: true, listening: None };
            check(beginning, &tuple(PROTO_UDP, local, remote), expected);
        }
    }

    #[test]
    fn listeners_decide_for_connections_whose_beginning_was_not_seen() {
        use Direction::{Egress, Ingress, Unknown};
        for (began, listening, expected) in [
            (Began::Existing, Some(true), Ingress),
            (Began::Existing, Some(false), Egress),
            (Began::Existing, None, Unknown),
            (Began::Midway, Some(true), Ingress),
            (Began::Midway, Some(false), Unknown),
            (Began::Midway, None, Unknown),
        ] {
            let beginning = Beginning { began, existing: false, listening };
            check(beginning, &tuple(PROTO_TCP, 80, 40_000), expected);
        }
    }

    #[test]
    fn the_client_is_who_began_or_else_who_has_the_higher_port() {
        use Direction::{Egress, Ingress, Unknown};
        for (direction, local_port, remote_port, expected) in [
            (Egress, 80, 40_000, End::Local),
            (Ingress, 40_000, 80, End::Remote),
            (Unknown, 40_000, 80, End::Local),
            (Unknown, 80, 40_000, End::Remote),
            (Unknown, 123, 123, End::Local),
        ] {
            let tuple = Tuple { local_port, remote_port, ..Tuple::default() };
            assert_eq!(client(direction, &tuple), expected, "{direction:?} {tuple:?}");
        }
    }

    #[test]
    fn every_beginning_survives_its_number() {
        for value in [
            Began::Midway,
            Began::Connect,
            Began::Accept,
            Began::Send,
            Began::Receive,
            Began::Existing,
        ] {
            assert_eq!(began(value as u8), value);
        }
        assert_eq!(began(200), Began::Midway);
    }
}
