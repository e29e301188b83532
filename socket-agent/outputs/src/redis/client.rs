//! A connection to a server, with as much of its protocol as is needed.

use std::{
    io::{self, BufRead as _, BufReader, ErrorKind, Read as _, Write as _},
    net::{TcpStream, ToSocketAddrs as _},
};

use super::{Options, host::Host};

/// The longest answer that is read: that to INFO has some kilobytes.
const LONGEST: usize = 1 << 20;

/// A connection that is ready for commands.
#[derive(Debug)]
pub(crate) struct Client {
    stream: BufReader<TcpStream>,
    /// Address of the server, for messages.
    host: String,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// A status, a number or a text.
    Value(String),
    /// The server refuses.
    Error(String),
}

/// Appends a command.
pub(crate) fn command<'a>(parts: impl IntoIterator<Item = &'a [u8]>, out: &mut Vec<u8>) {
    let parts: Vec<&[u8]> = parts.into_iter().collect();
    out.extend_from_slice(format!("*{}\r\n", parts.len()).as_bytes());
    for part in parts {
        out.extend_from_slice(format!("${}\r\n", part.len()).as_bytes());
        out.extend_from_slice(part);
        out.extend_from_slice(b"\r\n");
    }
}

// === impl Client ===

impl Client {
    /// Connects, authenticates and chooses the database.
    ///
    /// # Errors
    ///
    /// What failed, why, and what helps.
    pub(crate) fn connect(host: &Host, options: &Options) -> Result<Self, String> {
        let at = host.to_string();
        let failed = |error: io::Error| {
            format!(
                "cannot connect to {at}: {error}; check output.redis.hosts and that the server runs"
            )
        };
        let addresses = (host.name.as_str(), host.port).to_socket_addrs().map_err(failed)?;
        let mut last = io::Error::from(ErrorKind::AddrNotAvailable);
        let mut stream = None;
        for address in addresses {
            match TcpStream::connect_timeout(&address, options.timeout) {
                Ok(connected) => {
                    stream = Some(connected);
                    break;
                }
                Err(error) => last = error,
            }
        }
        let stream = stream.ok_or_else(|| failed(last))?;
        stream
            .set_nodelay(true)
            .and_then(|()| stream.set_read_timeout(Some(options.timeout)))
            .and_then(|()| stream.set_write_timeout(Some(options.timeout)))
            .map_err(failed)?;
        let mut client = Self { stream: BufReader::new(stream), host: at };
        client.greet(host, options)?;
        Ok(client)
    }

    fn greet(&mut self, host: &Host, options: &Options) -> Result<(), String> {
        let password = host.password.as_ref().or(options.password.as_ref());
        let username = host.username.as_ref().or(options.username.as_ref());
        if let Some(password) = password {
            let password = password.reveal().as_bytes();
            let user = username.map(|user| user.as_bytes());
            let parts = std::iter::once(&b"AUTH"[..]).chain(user).chain([password]);
            self.ask(parts, "check output.redis.username and password")?;
        }
        self.ask([&b"PING"[..]], "set output.redis.password, or look into the server's log")?;
        if options.db > 0 {
            let number = options.db.to_string();
            self.ask([b"SELECT", number.as_bytes()], "choose another output.redis.db")?;
        }
        Ok(())
    }

    /// The version of the server.
    pub(crate) fn version(&mut self) -> Result<String, String> {
        let info = self.ask([&b"INFO"[..], b"server"], "let this user run INFO")?;
        let line = info.lines().find_map(|line| line.strip_prefix("redis_version:"));
        Ok(line.unwrap_or("of an unknown version").trim().to_owned())
    }

    /// Sends a command and returns its answer; an error comes with what helps.
    fn ask<'a>(
        &mut self,
        parts: impl IntoIterator<Item = &'a [u8]>,
        remedy: &str,
    ) -> Result<String, String> {
        let mut out = Vec::new();
        command(parts, &mut out);
        match self.send(&out).and_then(|()| self.receive()) {
            Ok(Answer::Value(value)) => Ok(value),
            Ok(Answer::Error(error)) => Err(format!("{} refuses: {error}; {remedy}", self.host)),
            Err(error) => Err(self.lost(&error)),
        }
    }

    /// Sends commands.
    pub(crate) fn send(&mut self, commands: &[u8]) -> io::Result<()> {
        self.stream.get_mut().write_all(commands)
    }

    /// The next answer.
    pub(crate) fn receive(&mut self) -> io::Result<Answer> {
        let line = self.line()?;
        let rest = line.get(1..).unwrap_or_default().to_owned();
        match line.bytes().next() {
            Some(b'+' | b':') => Ok(Answer::Value(rest)),
            Some(b'-') => Ok(Answer::Error(rest)),
            Some(b'$') => {
                let odd = || io::Error::new(ErrorKind::InvalidData, "the answer has no length");
                let length: usize =
                    rest.parse().ok().filter(|it| *it <= LONGEST).ok_or_else(odd)?;
                let mut text = vec![0; length + 2];
                self.stream.read_exact(&mut text)?;
                text.truncate(length);
                Ok(Answer::Value(String::from_utf8_lossy(&text).into_owned()))
            }
            _ => Err(io::Error::new(ErrorKind::InvalidData, "this is not the protocol of Redis")),
        }
    }

    /// What is said of a connection that failed.
    pub(crate) fn lost(&self, error: &io::Error) -> String {
        let host = &self.host;
        match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => {
                format!(
                    "{host} does not answer within output.redis.timeout; raise it, or look after the server"
                )
            }
            ErrorKind::UnexpectedEof => {
                format!("{host} has closed the connection; look into the server's log")
            }
            _ => format!("the connection to {host} failed: {error}; look after the server"),
        }
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = Vec::new();
        let mut limited = (&mut self.stream).take(LONGEST as u64);
        if limited.read_until(b'\n', &mut line)? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        let line = line.strip_suffix(b"\r\n").unwrap_or(&line);
        Ok(String::from_utf8_lossy(line).into_owned())
    }
}
