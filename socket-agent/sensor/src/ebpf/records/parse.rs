//! Records of the programs.

use socket_common::{DATA_MAX, ExecEvent, FlowEvent, Header, LateEvent, SocketEvent, kind};

use crate::Event;

/// Bytes of the longest record.
pub(in crate::ebpf) const LONGEST: usize = size_of::<ExecEvent>();

/// Reads a record of a known kind that is long enough.
pub(super) fn parse(bytes: &[u8]) -> Option<Event> {
    let header: Header = read(bytes)?;
    Some(match header.kind {
        kind::FLOW => Event::Closed(read::<FlowEvent>(bytes)?.flow),
        kind::LATE => Event::Late(read::<LateEvent>(bytes)?.late),
        kind::SOCKET => Event::Socket(read::<SocketEvent>(bytes)?),
        kind::CONNECTED => Event::Connected(read::<FlowEvent>(bytes)?.flow),
        kind::FORK => Event::Fork(read(bytes)?),
        kind::EXIT => Event::Exit(read(bytes)?),
        kind::EXEC => {
            // Ends behind the last argument: the rest of the structure is zeroes.
            let fixed = size_of::<ExecEvent>() - DATA_MAX;
            if bytes.len() < fixed {
                return None;
            }
            let mut whole = vec![0u8; size_of::<ExecEvent>()];
            let length = bytes.len().min(whole.len());
            whole[..length].copy_from_slice(&bytes[..length]);
            Event::Exec(Box::new(read(&whole)?))
        }
        _ => return None,
    })
}

/// Reads a shared type from the start of `bytes`.
pub(in crate::ebpf) fn read<T: Copy>(bytes: &[u8]) -> Option<T> {
    if bytes.len() < size_of::<T>() {
        return None;
    }
    // SAFETY: enough bytes, read without alignment; `T` is one of the shared types, which hold
    // plain integers, so that every bit pattern is valid.
    Some(unsafe { bytes.as_ptr().cast::<T>().read_unaligned() })
}

#[cfg(test)]
mod tests {
    use socket_common::Flow;

    use super::*;

    fn bytes_of<T: Copy>(value: &T) -> Vec<u8> {
        // SAFETY: a plain value read as bytes.
        unsafe {
            std::slice::from_raw_parts(std::ptr::from_ref(value).cast::<u8>(), size_of::<T>())
        }
        .to_vec()
    }

    #[test]
    fn reads_a_closed_flow() {
        let flow = Flow { id: 7, first: 1, last: 2, ..Flow::default() };
        let event = FlowEvent { header: Header { kind: kind::FLOW, length: 0 }, flow };
        match parse(&bytes_of(&event)) {
            Some(Event::Closed(read)) => assert_eq!(read, flow),
            _ => panic!("not a flow"),
        }
    }

    #[test]
    fn refuses_short_and_unknown_records() {
        assert!(parse(&[]).is_none());
        assert!(parse(&bytes_of(&Header { kind: kind::FLOW, length: 0 })).is_none());
        assert!(parse(&bytes_of(&Header { kind: 99, length: 0 })).is_none());
    }
}
