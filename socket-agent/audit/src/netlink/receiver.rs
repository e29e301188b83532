//! The socket that records come through.

use std::{
    io::{self, ErrorKind},
    os::fd::{AsFd, BorrowedFd},
    time::{Duration, Instant},
};

use super::{
    error::{Fault, LISTENING, RequestError},
    message::{self, Message, request},
    socket::{DATAGRAM_MAX, Datagram, Socket},
    status::Setting,
};
use crate::records::Kind;

/// The group that hears all records; Linux 3.16.
const READLOG: u32 = 1;
/// How long the kernel may take to make this socket the audit daemon's.
const ANSWER: Duration = Duration::from_secs(5);

/// Counters of unusual messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReceiverCounters {
    /// How often records found the socket's buffer full; how many is told by nobody.
    pub overruns: u64,
    /// Datagrams that are not of the kernel.
    pub foreign: u64,
    /// Datagrams too short for a message.
    pub short: u64,
    /// Records longer than any that the kernel makes; they were cut.
    pub cut: u64,
}

/// Result of one read of the socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// A record, or something that is none and was passed over.
    Something,
    /// No message was waiting.
    Nothing,
}

/// A receiver of records.
#[derive(Debug)]
pub struct Receiver {
    socket: Socket,
    sequence: u32,
    buffer: Box<[u8]>,
    counters: ReceiverCounters,
}

impl Receiver {
    /// A socket that hears nothing before it is [registered](Self::register).
    ///
    /// # Errors
    /// The kernel has no audit framework.
    pub fn unicast() -> Result<Self, RequestError> {
        Self::open("opening the audit socket", 0)
    }

    /// A socket that hears all records beside the audit daemon. Needs `CAP_AUDIT_READ`, and nothing
    /// else.
    ///
    /// # Errors
    /// The kernel has no audit framework, or refuses.
    pub fn multicast() -> Result<Self, RequestError> {
        Self::open(LISTENING, READLOG)
    }

    fn open(what: &'static str, groups: u32) -> Result<Self, RequestError> {
        let socket = Socket::open(groups)
            .map_err(|error| RequestError { what, fault: Fault::Refused(error) })?;
        Ok(Self {
            socket,
            sequence: 0,
            buffer: vec![0; DATAGRAM_MAX].into_boxed_slice(),
            counters: ReceiverCounters::default(),
        })
    }

    /// Sets the size of the receive buffer, as [`Socket::set_receive_buffer`] does.
    ///
    /// # Errors
    /// See there.
    pub fn set_buffer(&self, bytes: usize) -> io::Result<bool> {
        self.socket.set_receive_buffer(bytes)
    }

    /// Makes this process the audit daemon and this socket the one for its records. Those that come
    /// before the answer are given to `record`. `None` if the answer was lost among them: the status
    /// then tells who is the daemon.
    ///
    /// # Errors
    /// The kernel refuses: `EEXIST` if there is another daemon.
    pub fn register(
        &mut self,
        pid: u32,
        mut record: impl FnMut(Kind, &[u8]),
    ) -> Result<Option<()>, RequestError> {
        let fail = |error| RequestError {
            what: "becoming the audit daemon",
            fault: Fault::Refused(error),
        };
        self.sequence = self.sequence.wrapping_add(1);
        let payload = Setting::Pid(pid).encode();
        let datagram = request(message::SET, message::ACK, self.sequence, &payload);
        self.socket.send_datagram(&datagram).map_err(fail)?;
        let deadline = Instant::now() + ANSWER;
        let mut overrun = false;
        while Instant::now() < deadline && !overrun {
            let mut answer = None;
            match self.next(&mut record, |code| answer = Some(code)) {
                Ok(Received::Something) => {}
                Ok(Received::Nothing) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    self.socket.wait(left).map_err(fail)?;
                }
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => overrun = true,
                Err(error) => return Err(fail(error)),
            }
            match answer {
                Some(0) => return Ok(Some(())),
                Some(code) => return Err(fail(io::Error::from_raw_os_error(-code))),
                None => {}
            }
        }
        Ok(None)
    }

    /// Takes what comes next, if anything has come.
    ///
    /// # Errors
    /// `ENOBUFS` if records were lost, which is counted and after which the next ones can be taken;
    /// anything else means that the socket is of no more use.
    pub fn receive(&mut self, record: impl FnMut(Kind, &[u8])) -> io::Result<Received> {
        self.next(record, |_| ())
    }

    /// Counters of unusual messages so far.
    pub fn counters(&self) -> ReceiverCounters {
        self.counters
    }

    fn next(
        &mut self,
        mut record: impl FnMut(Kind, &[u8]),
        mut answer: impl FnMut(i32),
    ) -> io::Result<Received> {
        let Self { socket, sequence, buffer, counters } = self;
        let length = match socket.receive_datagram(buffer) {
            Ok(Datagram::Whole(length)) => length,
            Ok(Datagram::Cut(length)) => {
                counters.cut += 1;
                length
            }
            Ok(Datagram::Foreign) => {
                counters.foreign += 1;
                return Ok(Received::Something);
            }
            Err(error) => {
                return match error.kind() {
                    ErrorKind::WouldBlock => Ok(Received::Nothing),
                    ErrorKind::Interrupted => Ok(Received::Something),
                    _ => {
                        counters.overruns += u64::from(error.raw_os_error() == Some(libc::ENOBUFS));
                        Err(error)
                    }
                };
            }
        };
        let Some(message) = Message::parse(buffer.get(..length).unwrap_or_default()) else {
            counters.short += 1;
            return Ok(Received::Something);
        };
        match message.kind {
            message::ERROR if message.sequence == *sequence => {
                answer(message.word(0).unwrap_or_default().cast_signed());
            }
            kind if is_record(kind) => record(Kind(kind), message.payload),
            _ => {}
        }
        Ok(Received::Something)
    }
}

impl AsFd for Receiver {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Below are requests and answers. REPLACE asks a daemon whether it is alive.
fn is_record(kind: u16) -> bool {
    match Kind(kind) {
        Kind::REPLACE => false,
        Kind::LOGIN => true,
        Kind(message::USER | 1100..=2999) => true,
        Kind(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_a_record() {
        for kind in [1005, 1006, 1100, 1300, 1326, 1400, 2000, 2999] {
            assert!(is_record(kind), "{kind}");
        }
        for kind in [0, 2, 3, 1000, 1013, 1099, 1329, 3000] {
            assert!(!is_record(kind), "{kind}");
        }
    }
}
