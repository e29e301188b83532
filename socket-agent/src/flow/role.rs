//! Who began a conversation, and which of its ends is therefore the client.

use socket_common::{Began, PROTO_TCP, Tuple};

use super::Direction;

/// An end of a conversation, as seen from this host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The socket on this host.
    Local,
    /// Its peer.
    Remote,
}

/// The direction of a flow.
///
/// `listening` says whether the local port has a listening socket (UDP: a bound one without peer)
/// in the flow's network namespace, `None` that this is not known. It matters only for flows whose
/// beginning was not seen.
pub fn direction(began: Began, protocol: u8, listening: Option<bool>) -> Direction {
    match (began, listening) {
        (Began::Connect | Began::Send, _) => Direction::Egress,
        (Began::Accept | Began::Receive, _) => Direction::Ingress,
        (Began::Existing | Began::Midway, Some(true)) => Direction::Ingress,
        // An accepted connection almost always has its listener still beside it.
        (Began::Existing, Some(false)) if protocol == PROTO_TCP => Direction::Egress,
        (Began::Existing | Began::Midway, _) => Direction::Unknown,
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

    #[test]
    fn a_seen_beginning_decides_whatever_listens() {
        for protocol in [PROTO_TCP, PROTO_UDP] {
            for listening in [None, Some(false), Some(true)] {
                for (began, expected) in [
                    (Began::Connect, Direction::Egress),
                    (Began::Send, Direction::Egress),
                    (Began::Accept, Direction::Ingress),
                    (Began::Receive, Direction::Ingress),
                ] {
                    assert_eq!(direction(began, protocol, listening), expected, "{began:?}");
                }
            }
        }
    }

    #[test]
    fn listeners_decide_for_flows_whose_beginning_was_not_seen() {
        use Direction::{Egress, Ingress, Unknown};
        for (began, protocol, listening, expected) in [
            (Began::Existing, PROTO_TCP, Some(true), Ingress),
            (Began::Existing, PROTO_TCP, Some(false), Egress),
            (Began::Existing, PROTO_TCP, None, Unknown),
            (Began::Existing, PROTO_UDP, Some(true), Ingress),
            (Began::Existing, PROTO_UDP, Some(false), Unknown),
            (Began::Existing, PROTO_UDP, None, Unknown),
            (Began::Midway, PROTO_TCP, Some(true), Ingress),
            (Began::Midway, PROTO_TCP, Some(false), Unknown),
            (Began::Midway, PROTO_TCP, None, Unknown),
            (Began::Midway, PROTO_UDP, Some(true), Ingress),
            (Began::Midway, PROTO_UDP, Some(false), Unknown),
            (Began::Midway, PROTO_UDP, None, Unknown),
        ] {
            let case = (began, protocol, listening);
            assert_eq!(direction(began, protocol, listening), expected, "{case:?}");
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
