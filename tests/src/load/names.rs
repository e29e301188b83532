//! Many names: a server that knows them all, and a process that asks for each and then uses it.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket},
    ops::Range,
    thread,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};

use super::{
    expected_totals::SERVER,
    worker::{address, report, say, wait_end},
};
use crate::dns::{self, A};

/// Port of DNS.
const PORT: u16 = 53;
/// Questions that wait for their answer: fewer than overrun a socket's buffer.
const WINDOW: usize = 64;
/// No answer takes longer.
const LIMIT: Duration = Duration::from_secs(60);
/// Bytes of a datagram to a name that was answered.
pub(super) const GREETING: usize = 100;

/// The name of an address that [`address`] gives out.
pub(super) fn name(number: u32) -> String {
    format!("host{number}.load.test")
}

/// The number of an address or of a name, whose first label ends with it.
fn number(address: Ipv4Addr) -> u32 {
    u32::from(address) - u32::from(super::worker::address(0))
}

/// The name that an address must have in documents.
pub(super) fn name_of(address: Ipv4Addr) -> String {
    name(number(address))
}

/// Answers questions until standard input is closed.
pub(super) fn resolve() -> Result<()> {
    let socket = UdpSocket::bind((SERVER, PORT))?;
    say(&PORT.to_string())?;
    thread::spawn(move || {
        let mut question = [0; 512];
        while let Ok((length, from)) = socket.recv_from(&mut question) {
            let answered = question.get(..length).context("no question").and_then(answer);
            if let Err(error) = answered.and_then(|answer| Ok(socket.send_to(&answer, from)?)) {
                eprintln!("load resolver: {error:#}");
            }
        }
    });
    wait_end()?;
    // The thread waits for questions that will not come.
    std::process::exit(0)
}

fn answer(question: &[u8]) -> Result<Vec<u8>> {
    let number = asked(question)?;
    let name = name(number);
    let [high, low, ..] = question else { bail!("a question without a number") };
    let id = u16::from_be_bytes([*high, *low]);
    Ok(dns::answer(id, &name, A, &[dns::address(&name, address(number).into())]))
}

/// What a question is about: its first label is a word and a number.
fn asked(question: &[u8]) -> Result<u32> {
    let length = usize::from(*question.get(12).context("a short question")?);
    let label = question.get(13..13 + length).context("a cut label")?;
    let digits = std::str::from_utf8(label)?.trim_start_matches(|c: char| !c.is_ascii_digit());
    digits.parse().context("a name without a number")
}

/// The address in an answer with one record: its last four bytes.
fn answered_address(answer: &[u8]) -> Result<Ipv4Addr> {
    let octets = answer.last_chunk::<4>().context("a short answer")?;
    Ok(Ipv4Addr::from(*octets))
}

/// Asks for each of the names, and sends a datagram to each address that it is told, from one socket.
pub(super) fn ask(port: u16, numbers: Range<u32>) -> Result<()> {
    let resolver = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    resolver.connect((SERVER, PORT))?;
    resolver.set_read_timeout(Some(LIMIT))?;
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    let mut made = vec![(local(&resolver)?, SocketAddrV4::new(SERVER, PORT))];
    let (mut asked, mut waiting) = (numbers.clone(), 0);
    let (mut left, mut buffer) = (numbers.len(), [0; 512]);
    while left > 0 {
        while waiting < WINDOW
            && let Some(number) = asked.next()
        {
            // Numbers of questions may be used again: the window is much smaller.
            resolver.send(&dns::query(number as u16, &name(number), A))?;
            waiting += 1;
        }
        let length = resolver.recv(&mut buffer).context("waiting for an answer")?;
        let to = answered_address(buffer.get(..length).context("no answer")?)?;
        ensure!(numbers.contains(&number(to)), "an answer that nobody has asked for: {to}");
        socket.send_to(&[0; GREETING], (to, port))?;
        made.push((local(&socket)?, SocketAddrV4::new(to, port)));
        (waiting, left) = (waiting - 1, left - 1);
    }
    drop((socket, resolver));
    report(&made)
}

fn local(socket: &UdpSocket) -> io::Result<SocketAddrV4> {
    match socket.local_addr()? {
        SocketAddr::V4(local) => Ok(local),
        SocketAddr::V6(_) => Err(io::Error::other("not an IPv4 socket")),
    }
}
