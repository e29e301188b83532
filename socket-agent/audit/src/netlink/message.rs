//! Netlink messages: a header of 16 bytes, and what it announces.
//!
//! One datagram holds one message. Its length is that of the datagram: the kernel writes the length
//! of the text without the header into records for the audit daemon.

/// Bytes of `struct nlmsghdr`.
const HEADER: usize = 16;

/// `NLM_F_REQUEST`.
pub(super) const REQUEST: u16 = 1;
/// `NLM_F_ACK`.
pub(super) const ACK: u16 = 4;
/// `NLMSG_ERROR`, also with the error 0.
pub(super) const ERROR: u16 = 2;
/// `NLMSG_DONE`.
pub(super) const DONE: u16 = 3;

/// Kinds of requests.
pub(super) const GET: u16 = 1000;
pub(super) const SET: u16 = 1001;
pub(super) const ADD_RULE: u16 = 1011;
pub(super) const DEL_RULE: u16 = 1012;
pub(super) const LIST_RULES: u16 = 1013;
pub(super) const TRIM: u16 = 1014;
pub(super) const MAKE_EQUIV: u16 = 1015;
pub(super) const SET_FEATURE: u16 = 1018;
pub(super) const GET_FEATURE: u16 = 1019;
/// `AUDIT_USER`: a text for the log.
pub(super) const USER: u16 = 1005;

/// A message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Message<'a> {
    pub(super) kind: u16,
    pub(super) sequence: u32,
    pub(super) payload: &'a [u8],
}

impl<'a> Message<'a> {
    /// The message of a datagram; `None` if it is shorter than a header.
    pub(super) fn parse(datagram: &'a [u8]) -> Option<Self> {
        let (header, payload) = datagram.split_at_checked(HEADER)?;
        let kind = u16::from_ne_bytes(header.get(4..6)?.try_into().ok()?);
        let sequence = u32::from_ne_bytes(header.get(8..12)?.try_into().ok()?);
        Some(Self { kind, sequence, payload })
    }

    /// A word of the payload.
    pub(super) fn word(&self, index: usize) -> Option<u32> {
        word(self.payload, index)
    }
}

/// The native-endian word at an index.
pub(super) fn word(bytes: &[u8], index: usize) -> Option<u32> {
    let bytes = bytes.get(index * 4..index * 4 + 4)?;
    Some(u32::from_ne_bytes(bytes.try_into().ok()?))
}

/// A datagram with a request.
pub(super) fn request(kind: u16, flags: u16, sequence: u32, payload: &[u8]) -> Vec<u8> {
    let mut datagram = Vec::with_capacity(HEADER + payload.len());
    datagram.extend(((HEADER + payload.len()) as u32).to_ne_bytes());
    datagram.extend(kind.to_ne_bytes());
    datagram.extend((flags | REQUEST).to_ne_bytes());
    datagram.extend(sequence.to_ne_bytes());
    // The kernel knows the sender.
    datagram.extend(0_u32.to_ne_bytes());
    datagram.extend(payload);
    datagram
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_and_messages() {
        let datagram = request(GET, ACK, 7, &[1, 2, 3]);
        assert_eq!(word(&datagram, 0), Some(19));
        assert_eq!(datagram[6..8], (REQUEST | ACK).to_ne_bytes());
        let message = Message::parse(&datagram).unwrap();
        assert_eq!(message, Message { kind: GET, sequence: 7, payload: &[1, 2, 3] });
        assert_eq!(message.word(0), None);
        assert_eq!(Message::parse(&datagram[..15]), None);
    }

    #[test]
    fn the_announced_length_of_a_record_is_not_believed() {
        let mut datagram = request(1300, 0, 0, b"audit(1.000:1): a=b");
        datagram[..4].copy_from_slice(&19_u32.to_ne_bytes());
        assert_eq!(Message::parse(&datagram).unwrap().payload, b"audit(1.000:1): a=b");
    }
}
