//! Records of the programs.

use zerocopy::FromBytes;

use socket_common::{DATA_MAX, ExecEvent, FlowEvent, Header, LateEvent, SocketEvent, kind};

use crate::Event;

/// Bytes of the longest record.
pub(in crate::ebpf) const LONGEST: usize = size_of::<ExecEvent>();

/// Reads a record of a known kind that is long enough.
pub(super) fn parse(bytes: &[u8]) -> Option<Event> {
    let header: Header = prefix(bytes)?;
    Some(match header.kind {
        kind::FLOW => Event::Closed(prefix::<FlowEvent>(bytes)?.flow),
        kind::LATE => Event::Late(prefix::<LateEvent>(bytes)?.late),
        kind::SOCKET => Event::Socket(prefix::<SocketEvent>(bytes)?),
        kind::CONNECTED => Event::Connected(prefix::<FlowEvent>(bytes)?.flow),
        kind::FORK => Event::Fork(prefix(bytes)?),
        kind::EXIT => Event::Exit(prefix(bytes)?),
        kind::EXEC => {
            // Ends behind the last argument: the rest of the structure is zeroes.
            let fixed = size_of::<ExecEvent>() - DATA_MAX;
            if bytes.len() < fixed {
                return None;
            }
            let mut whole = vec![0u8; size_of::<ExecEvent>()];
            let length = bytes.len().min(whole.len());
            whole[..length].copy_from_slice(&bytes[..length]);
            Event::Exec(Box::new(prefix(&whole)?))
        }
        _ => return None,
    })
}

/// A shared type at the start of `bytes`, which need not be aligned; `None` if they are too few.
pub(in crate::ebpf) fn prefix<T: FromBytes>(bytes: &[u8]) -> Option<T> {
    T::read_from_prefix(bytes).ok().map(|(value, _)| value)
}

#[cfg(test)]
mod tests {
    use socket_common::Flow;
    use zerocopy::IntoBytes;

    use super::*;

    #[test]
    fn reads_a_closed_flow() {
        let flow = Flow { id: 7, first: 1, last: 2, ..Flow::default() };
        let event = FlowEvent { header: Header { kind: kind::FLOW, length: 0 }, flow };
        match parse(event.as_bytes()) {
            Some(Event::Closed(read)) => assert_eq!(read, flow),
            _ => panic!("not a flow"),
        }
    }

    #[test]
    fn refuses_short_and_unknown_records() {
        assert!(parse(&[]).is_none());
        assert!(parse(Header { kind: kind::FLOW, length: 0 }.as_bytes()).is_none());
        assert!(parse(Header { kind: 99, length: 0 }.as_bytes()).is_none());
    }
}
