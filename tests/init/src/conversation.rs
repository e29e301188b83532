//! Something to see: a machine that only runs a sensor has no traffic.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::{Context as _, Result};
use socket2::{Domain, Socket, Type};

/// Port of the machine's own server.
const SERVER: u16 = 7;
/// Source port of the first conversation; the next ones count up, the same in every machine.
const CLIENT: u16 = 40_000;
const EVERY: Duration = Duration::from_secs(1);
const TEXT: &[u8; 10] = b"echo, echo";

/// A TCP conversation over loopback every second, until it is dropped.
pub(crate) struct Conversation {
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Conversation {
    /// Begins talking; without a working loopback interface nothing is said.
    pub(crate) fn start() -> Self {
        let ended = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&ended);
        let thread = thread::spawn(move || {
            let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, SERVER)) else { return };
            for number in 0.. {
                if stop.load(Ordering::Relaxed) || talk(&listener, CLIENT + number).is_err() {
                    return;
                }
                thread::park_timeout(EVERY);
            }
        });
        Self { ended, thread: Some(thread) }
    }
}

impl Drop for Conversation {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            let _ = thread.join();
        }
    }
}

/// One question, one answer; the client closes first.
fn talk(listener: &TcpListener, port: u16) -> Result<()> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into())?;
    socket.connect(&SocketAddr::from((Ipv4Addr::LOCALHOST, SERVER)).into())?;
    let mut client: TcpStream = socket.into();
    let (mut server, _) = listener.accept().context("accept")?;
    let mut heard = [0; TEXT.len()];
    client.write_all(TEXT)?;
    server.read_exact(&mut heard)?;
    server.write_all(&heard)?;
    client.read_exact(&mut heard)?;
    drop(client);
    while server.read(&mut heard)? != 0 {}
    Ok(())
}
