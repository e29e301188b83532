//! Requests and their answers.

use std::{
    io::{self, ErrorKind},
    time::{Duration, Instant},
};

use super::{
    error::{Fault, RequestError},
    features::Features,
    message::{self, Message, request},
    socket::Socket,
    status::{Setting, Status},
};

/// How long the kernel may take for an answer.
const ANSWER: Duration = Duration::from_secs(5);
/// How often a request is repeated whose answer was lost.
const ATTEMPTS: u32 = 4;

/// What carries datagrams to the kernel and back.
pub trait Transport {
    /// Sends a datagram.
    ///
    /// # Errors
    /// As `sendto(2)`.
    fn send(&mut self, datagram: &[u8]) -> io::Result<()>;

    /// Puts the next datagram of the kernel into the buffer; `false` if none came in time.
    ///
    /// # Errors
    /// As `recvfrom(2)`; `ENOBUFS` if datagrams were lost.
    fn receive(&mut self, buffer: &mut Vec<u8>, limit: Duration) -> io::Result<bool>;
}

/// Counters of unusual answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ControlCounters {
    /// Messages that answer no request of ours, or one of before.
    pub foreign: u64,
    /// Answers that found the socket's buffer full; their requests were repeated.
    pub overruns: u64,
    /// Datagrams too short for a message.
    pub short: u64,
}

/// Asks and sets.
#[derive(Debug)]
pub struct Control<T = Socket> {
    transport: T,
    sequence: u32,
    counters: ControlCounters,
    buffer: Vec<u8>,
}

/// Whether a request can be done twice: what its second run says when the first was done.
#[derive(Clone, Copy)]
enum Repeated {
    /// The same.
    Same,
    /// This error, which then counts as success.
    Errno(i32),
}

impl Control<Socket> {
    /// Opens a socket for requests.
    ///
    /// # Errors
    /// The kernel has no audit framework.
    pub fn open() -> Result<Self, RequestError> {
        let socket = Socket::open(0).map_err(|error| RequestError {
            what: "opening the audit socket",
            fault: Fault::Refused(error),
        })?;
        Ok(Self::new(socket))
    }
}

impl<T: Transport> Control<T> {
    /// Speaks through a transport.
    pub fn new(transport: T) -> Self {
        Self { transport, sequence: 0, counters: ControlCounters::default(), buffer: Vec::new() }
    }

    /// Counters of unusual answers so far.
    pub fn counters(&self) -> ControlCounters {
        self.counters
    }

    /// What the framework is set to. Needs `CAP_AUDIT_CONTROL`.
    ///
    /// # Errors
    /// The kernel refuses, is silent, or says too little.
    pub fn status(&mut self) -> Result<Status, RequestError> {
        let what = "asking for the status";
        let mut found = None;
        self.ask(what, message::GET, |payload| {
            found = Some((Status::parse(payload), payload.len()));
        })?;
        match found {
            Some((Some(status), _)) => Ok(status),
            Some((None, length)) => Err(RequestError { what, fault: Fault::Short(length) }),
            None => Err(RequestError { what, fault: Fault::Short(0) }),
        }
    }

    /// The features that are switched on. Linux 3.13.
    ///
    /// # Errors
    /// As [`status`](Self::status).
    pub fn features(&mut self) -> Result<Features, RequestError> {
        let what = "asking for the features";
        let mut found = None;
        self.ask(what, message::GET_FEATURE, |payload| found = Features::parse(payload))?;
        found.ok_or(RequestError { what, fault: Fault::Short(0) })
    }

    /// Changes a setting. To own the audit socket, the request must come from the socket that is to
    /// have the records: see [`Receiver`](super::Receiver).
    ///
    /// # Errors
    /// As [`status`](Self::status); `EPERM` also if settings are locked.
    pub fn set(&mut self, setting: Setting) -> Result<(), RequestError> {
        let what = match setting {
            Setting::Enabled(_) => "switching auditing on or off",
            Setting::Failure(_) => "setting the failure mode",
            Setting::Pid(_) => "giving up the audit socket",
            Setting::RateLimit(_) => "setting the rate limit",
            Setting::BacklogLimit(_) => "setting the backlog limit",
            Setting::BacklogWaitTime(_) => "setting the backlog wait time",
            Setting::ResetLost => "resetting the count of lost records",
            Setting::ResetBacklogWaitTime => "resetting the sum of waits",
        };
        self.change(what, message::SET, &setting.encode(), Repeated::Same)
    }

    /// Makes login uids unchangeable.
    ///
    /// # Errors
    /// As [`set`](Self::set).
    pub fn set_loginuid_immutable(&mut self) -> Result<(), RequestError> {
        let bytes = Features::loginuid_immutable();
        self.change("locking login uids", message::SET_FEATURE, &bytes, Repeated::Same)
    }

    /// Every rule as `struct audit_rule_data`, in the order in which the kernel looks at them, list
    /// by list.
    ///
    /// # Errors
    /// As [`status`](Self::status).
    pub fn rules(&mut self) -> Result<Vec<Vec<u8>>, RequestError> {
        let what = "listing the rules";
        for attempt in 1.. {
            let mut rules = Vec::new();
            self.send(what, message::LIST_RULES, 0, &[])?;
            match self.answers(what, |message| match message.kind {
                message::DONE => true,
                message::LIST_RULES => {
                    rules.push(message.payload.to_vec());
                    false
                }
                _ => false,
            }) {
                Ok(()) => return Ok(rules),
                Err(error) if error.fault.errno() == Some(libc::ENOBUFS) && attempt < ATTEMPTS => {}
                Err(error) => return Err(error),
            }
        }
        unreachable!("the last attempt returns")
    }

    /// Loads a rule, `struct audit_rule_data`.
    ///
    /// # Errors
    /// As [`set`](Self::set); `EEXIST` if it is there, `EINVAL` if the kernel does not understand it.
    pub fn add_rule(&mut self, rule: &[u8]) -> Result<(), RequestError> {
        let again = Repeated::Errno(libc::EEXIST);
        self.change("loading a rule", message::ADD_RULE, rule, again)
    }

    /// Removes a rule.
    ///
    /// # Errors
    /// As [`set`](Self::set); `ENOENT` if it is not there.
    pub fn delete_rule(&mut self, rule: &[u8]) -> Result<(), RequestError> {
        let again = Repeated::Errno(libc::ENOENT);
        self.change("removing a rule", message::DEL_RULE, rule, again)
    }

    /// Forgets trees below mount points that are gone.
    ///
    /// # Errors
    /// As [`set`](Self::set).
    pub fn trim(&mut self) -> Result<(), RequestError> {
        self.change("trimming the watched trees", message::TRIM, &[], Repeated::Same)
    }

    /// Makes a directory part of the watches of another.
    ///
    /// # Errors
    /// As [`set`](Self::set).
    pub fn make_equivalent(&mut self, mount: &[u8], subtree: &[u8]) -> Result<(), RequestError> {
        let mut bytes = Vec::new();
        bytes.extend((mount.len() as u32).to_ne_bytes());
        bytes.extend((subtree.len() as u32).to_ne_bytes());
        bytes.extend(mount);
        bytes.extend(subtree);
        self.change("joining two trees", message::MAKE_EQUIV, &bytes, Repeated::Same)
    }

    /// Writes a record of type USER. Needs `CAP_AUDIT_WRITE`.
    ///
    /// # Errors
    /// As [`set`](Self::set).
    pub fn write(&mut self, text: &[u8]) -> Result<(), RequestError> {
        let text = [text, b"\0"].concat();
        self.change("writing a record", message::USER, &text, Repeated::Same)
    }

    /// A question whose answer has the kind of the question.
    fn ask(
        &mut self,
        what: &'static str,
        kind: u16,
        mut take: impl FnMut(&[u8]),
    ) -> Result<(), RequestError> {
        for attempt in 1.. {
            self.send(what, kind, 0, &[])?;
            let answered = self.answers(what, |message| {
                let ours = message.kind == kind;
                if ours {
                    take(message.payload);
                }
                ours
            });
            match answered {
                Err(error) if error.fault.errno() == Some(libc::ENOBUFS) && attempt < ATTEMPTS => {}
                other => return other,
            }
        }
        unreachable!("the last attempt returns")
    }

    /// A change, which the kernel acknowledges.
    fn change(
        &mut self,
        what: &'static str,
        kind: u16,
        payload: &[u8],
        repeated: Repeated,
    ) -> Result<(), RequestError> {
        for attempt in 1.. {
            self.send(what, kind, message::ACK, payload)?;
            let result = self.answers(what, |_| false);
            let Err(error) = result else { return Ok(()) };
            match (error.fault.errno(), repeated) {
                (Some(libc::ENOBUFS), _) if attempt < ATTEMPTS => {}
                (Some(errno), Repeated::Errno(done)) if attempt > 1 && errno == done => {
                    return Ok(());
                }
                _ => return Err(error),
            }
        }
        unreachable!("the last attempt returns")
    }

    fn send(
        &mut self,
        what: &'static str,
        kind: u16,
        flags: u16,
        payload: &[u8],
    ) -> Result<(), RequestError> {
        self.sequence = self.sequence.wrapping_add(1);
        let datagram = request(kind, flags, self.sequence, payload);
        loop {
            match self.transport.send(&datagram) {
                Ok(()) => return Ok(()),
                Err(error)
                    if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock) => {}
                Err(error) => return Err(RequestError { what, fault: Fault::Refused(error) }),
            }
        }
    }

    /// Takes the messages that answer the last request until `is_last`, or an acknowledgement.
    fn answers(
        &mut self,
        what: &'static str,
        mut is_last: impl FnMut(&Message<'_>) -> bool,
    ) -> Result<(), RequestError> {
        let fail = |fault| RequestError { what, fault };
        let deadline = Instant::now() + ANSWER;
        let Self { transport, sequence, counters, buffer } = self;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match transport.receive(buffer, left) {
                Ok(true) => {}
                Ok(false) => return Err(fail(Fault::Silent(ANSWER.as_secs()))),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => {
                    counters.overruns += u64::from(error.raw_os_error() == Some(libc::ENOBUFS));
                    return Err(fail(Fault::Refused(error)));
                }
            }
            let Some(message) = Message::parse(buffer) else {
                counters.short += 1;
                continue;
            };
            if message.sequence != *sequence {
                counters.foreign += 1;
                continue;
            }
            if message.kind == message::ERROR {
                let Some(code) = message.word(0) else {
                    return Err(fail(Fault::Short(message.payload.len())));
                };
                return match code.cast_signed() {
                    0 => Ok(()),
                    code => {
                        let error = io::Error::from_raw_os_error(code.wrapping_neg());
                        Err(fail(Fault::Refused(error)))
                    }
                };
            }
            if is_last(&message) {
                return Ok(());
            }
        }
    }
}
