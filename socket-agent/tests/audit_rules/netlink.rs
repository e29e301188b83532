//! The kernel's audit socket, as little of it as the tests need.

use std::io;

use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_AUDIT};

const HEADER: usize = 16;
const NLM_F_REQUEST: u16 = 1;
const NLM_F_ACK: u16 = 4;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const AUDIT_GET: u16 = 1000;
const AUDIT_ADD_RULE: u16 = 1011;
const AUDIT_DEL_RULE: u16 = 1012;
const AUDIT_LIST_RULES: u16 = 1013;

pub(crate) struct Audit {
    socket: Socket,
    sequence: u32,
}

impl Audit {
    pub(crate) fn open() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_AUDIT)?;
        socket.bind_auto()?;
        Ok(Self { socket, sequence: 0 })
    }

    /// Whether rules can be changed: the second word of the status is 2 when they are locked.
    pub(crate) fn is_locked(&mut self) -> io::Result<bool> {
        self.send(AUDIT_GET, NLM_F_REQUEST, &[])?;
        let (_, status) = self.receive(|kind| kind == AUDIT_GET)?;
        Ok(status.get(4..8) == Some(&2_u32.to_ne_bytes()))
    }

    /// Every rule, as the kernel reports it.
    pub(crate) fn list(&mut self) -> io::Result<Vec<Vec<u8>>> {
        self.send(AUDIT_LIST_RULES, NLM_F_REQUEST, &[])?;
        let mut rules = Vec::new();
        loop {
            match self.receive(|kind| kind == AUDIT_LIST_RULES || kind == NLMSG_DONE)? {
                (NLMSG_DONE, _) => return Ok(rules),
                (_, rule) => rules.push(rule),
            }
        }
    }

    pub(crate) fn add(&mut self, rule: &[u8]) -> io::Result<()> {
        self.change(AUDIT_ADD_RULE, rule)
    }

    pub(crate) fn delete(&mut self, rule: &[u8]) -> io::Result<()> {
        self.change(AUDIT_DEL_RULE, rule)
    }

    fn change(&mut self, kind: u16, rule: &[u8]) -> io::Result<()> {
        self.send(kind, NLM_F_REQUEST | NLM_F_ACK, rule)?;
        self.receive(|kind| kind == NLMSG_ERROR).map(drop)
    }

    fn send(&mut self, kind: u16, flags: u16, payload: &[u8]) -> io::Result<()> {
        self.sequence += 1;
        let mut message = Vec::new();
        message.extend(((HEADER + payload.len()) as u32).to_ne_bytes());
        message.extend(kind.to_ne_bytes());
        message.extend(flags.to_ne_bytes());
        message.extend(self.sequence.to_ne_bytes());
        message.extend(0_u32.to_ne_bytes());
        message.extend(payload);
        self.socket.send_to(&message, &SocketAddr::new(0, 0), 0).map(drop)
    }

    /// The next answer of a wanted kind to the last request; other messages are passed over.
    fn receive(&mut self, wanted: impl Fn(u16) -> bool) -> io::Result<(u16, Vec<u8>)> {
        loop {
            let (message, _) = self.socket.recv_from_full()?;
            let short = || io::Error::new(io::ErrorKind::InvalidData, "short netlink message");
            let word = |at: usize| -> io::Result<u32> {
                let bytes = message.get(at..at + 4).ok_or_else(short)?;
                Ok(u32::from_ne_bytes(bytes.try_into().unwrap()))
            };
            let kind = u16::from_ne_bytes(message.get(4..6).ok_or_else(short)?.try_into().unwrap());
            if word(8)? != self.sequence {
                continue;
            }
            if kind == NLMSG_ERROR {
                let error = word(HEADER)?.cast_signed();
                if error != 0 {
                    return Err(io::Error::from_raw_os_error(-error));
                }
            }
            if wanted(kind) {
                return Ok((kind, message.get(HEADER..).ok_or_else(short)?.to_vec()));
            }
        }
    }
}
