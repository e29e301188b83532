//! A packet socket with offload headers (packet(7), linux/if_packet.h, linux/virtio_net.h).

use std::{
    io,
    os::fd::{AsFd, AsRawFd},
    time::Duration,
};

use anyhow::{Context, Result};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use socket2::{Domain, Protocol, Socket, Type};

/// Bytes of a packet that are copied: all headers that are looked at.
const SNAP: usize = 256;
/// Length of `struct virtio_net_hdr` in front of each packet.
const OFFLOAD_HEADER: usize = 10;
/// Room for packets not read yet. Only charged while they wait.
const RECEIVE_BUFFER: libc::c_int = 256 << 20;
const PACKET_STATISTICS: libc::c_int = 6;
const PACKET_VNET_HDR: libc::c_int = 15;

/// A packet socket bound to one interface.
#[derive(Debug)]
pub(super) struct Tap {
    socket: Socket,
    /// Whether a packet may come without an offload header.
    bare: bool,
}

/// How a buffer of several segments is to be cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Offload {
    /// `VIRTIO_NET_HDR_GSO_*` without the ECN bit; 0 for a plain packet.
    pub(super) kind: u8,
    /// Payload bytes of each segment but the last.
    pub(super) segment: u16,
}

impl Offload {
    /// As an interface of this MTU can have it: that of CentOS 7's kernel comes with its bytes swapped.
    pub(super) fn within(self, mtu: u16) -> Self {
        let swapped = self.segment.swap_bytes();
        let segment = if self.segment > mtu && swapped <= mtu { swapped } else { self.segment };
        Self { segment, ..self }
    }
}

/// The first bytes of a packet, from its Ethernet header on.
pub(super) struct Frame {
    buffer: [u8; OFFLOAD_HEADER + SNAP],
    length: usize,
    /// Sent by this host, as opposed to received.
    pub(super) outgoing: bool,
    /// When the kernel had it, wall time; zero if it does not say.
    pub(super) time: Duration,
}

impl Frame {
    pub(super) fn bytes(&self) -> &[u8] {
        self.buffer.get(OFFLOAD_HEADER..self.length).unwrap_or_default()
    }

    pub(super) fn offload(&self) -> Offload {
        let [_flags, kind, _, _, low, high, ..] = self.buffer;
        /// `VIRTIO_NET_HDR_GSO_ECN`.
        const ECN: u8 = 0x80;
        Offload { kind: kind & !ECN, segment: u16::from_ne_bytes([low, high]) }
    }
}

impl Tap {
    pub(super) fn open(interface: u32) -> Result<Self> {
        // Protocol 0: nothing arrives before bind, so nothing of another interface does.
        let socket = Socket::new(Domain::PACKET, Type::RAW, Some(Protocol::from(0)))
            .context("opening a packet socket (needs CAP_NET_RAW)")?;
        set(&socket, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, RECEIVE_BUFFER)
            .context("SO_RCVBUFFORCE (needs CAP_NET_ADMIN)")?;
        set(&socket, libc::SOL_PACKET, PACKET_VNET_HDR, 1).context("PACKET_VNET_HDR")?;
        socket.set_nonblocking(true)?;

        // SAFETY: sockaddr_ll is plain data for which all zeroes are valid.
        let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
        address.sll_family = libc::AF_PACKET as u16;
        address.sll_protocol = (libc::ETH_P_ALL as u16).to_be();
        address.sll_ifindex = interface.cast_signed();
        // SAFETY: the address is valid and of the length given.
        let bound = unsafe {
            libc::bind(
                socket.as_raw_fd(),
                std::ptr::from_ref(&address).cast(),
                size_of::<libc::sockaddr_ll>() as libc::socklen_t,
            )
        };
        if bound < 0 {
            return Err(io::Error::last_os_error()).context("binding a packet socket");
        }
        let tap = Self { socket, bare: writes_into_copies(crate::agent::kernel_version()) };
        tap.time();
        Ok(tap)
    }

    /// Whether a packet came within `limit`.
    pub(super) fn wait(&self, limit: Duration) -> io::Result<bool> {
        let mut fds = [PollFd::new(self.socket.as_fd(), PollFlags::POLLIN)];
        let timeout = PollTimeout::try_from(limit).unwrap_or(PollTimeout::MAX);
        match poll(&mut fds, timeout) {
            Ok(ready) => Ok(ready > 0),
            Err(nix::Error::EINTR) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// The next packet, or `None` if none waits.
    pub(super) fn receive(&self) -> io::Result<Option<Frame>> {
        if !self.bare {
            return self.take(0);
        }
        match self.take(libc::MSG_PEEK) {
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => self.take_bare(),
            Err(error) => Err(error),
            Ok(None) => Ok(None),
            Ok(Some(_)) => self.take(0),
        }
    }

    /// The next packet, one of one segment, for which the kernel finds no offload header.
    fn take_bare(&self) -> io::Result<Option<Frame>> {
        set(&self.socket, libc::SOL_PACKET, PACKET_VNET_HDR, 0)?;
        let taken = self.take_behind(OFFLOAD_HEADER, 0);
        set(&self.socket, libc::SOL_PACKET, PACKET_VNET_HDR, 1)?;
        taken
    }

    /// The next packet, with its offload header.
    fn take(&self, flags: libc::c_int) -> io::Result<Option<Frame>> {
        self.take_behind(0, flags)
    }

    /// The next packet, behind so many bytes of zeroes.
    fn take_behind(&self, zeroes: usize, flags: libc::c_int) -> io::Result<Option<Frame>> {
        let mut frame = Frame {
            buffer: [0; OFFLOAD_HEADER + SNAP],
            length: 0,
            outgoing: false,
            time: Duration::ZERO,
        };
        // SAFETY: sockaddr_ll is plain data for which all zeroes are valid.
        let mut from: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
        let mut from_length = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
        let rest = frame.buffer.get_mut(zeroes..).unwrap_or_default();
        // SAFETY: both buffers are valid for the lengths given, for the time of the call.
        let length = unsafe {
            libc::recvfrom(
                self.socket.as_raw_fd(),
                rest.as_mut_ptr().cast(),
                rest.len(),
                flags,
                std::ptr::from_mut(&mut from).cast(),
                &mut from_length,
            )
        };
        if length < 0 {
            let error = io::Error::last_os_error();
            return match error.raw_os_error() {
                Some(libc::EAGAIN | libc::EINTR) => Ok(None),
                // The interface was taken down or away; what came before it is still valid.
                Some(libc::ENETDOWN) => Ok(None),
                _ => Err(error),
            };
        }
        frame.length = zeroes + length.cast_unsigned();
        frame.outgoing = from.sll_pkttype == libc::PACKET_OUTGOING;
        frame.time = self.time();
        Ok(Some(frame))
    }

    /// When the packet came that was received last. The first call, without an answer, makes the
    /// kernel note these times.
    fn time(&self) -> Duration {
        /// `SIOCGSTAMPNS_OLD` of linux/sockios.h, with a `struct timespec`.
        const SIOCGSTAMPNS: libc::Ioctl = 0x8907;
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: the structure is valid for the time of the call.
        let result = unsafe { libc::ioctl(self.socket.as_raw_fd(), SIOCGSTAMPNS, &raw mut time) };
        match (u64::try_from(time.tv_sec), u32::try_from(time.tv_nsec)) {
            (Ok(seconds), Ok(nanos)) if result == 0 => Duration::new(seconds, nanos),
            _ => Duration::ZERO,
        }
    }

    /// Packets that found no room since the last call.
    pub(super) fn take_drops(&self) -> io::Result<u32> {
        /// `struct tpacket_stats`.
        #[repr(C)]
        #[derive(Default)]
        struct Statistics {
            packets: u32,
            drops: u32,
        }
        let mut statistics = Statistics::default();
        let mut length = size_of::<Statistics>() as libc::socklen_t;
        // SAFETY: the structure is valid for the length given.
        let result = unsafe {
            libc::getsockopt(
                self.socket.as_raw_fd(),
                libc::SOL_PACKET,
                PACKET_STATISTICS,
                std::ptr::from_mut(&mut statistics).cast(),
                &mut length,
            )
        };
        let Statistics { packets: _, drops } = statistics;
        if result < 0 { Err(io::Error::last_os_error()) } else { Ok(drops) }
    }
}

/// Whether TCP writes a segment size into a packet that it has to queue although a packet socket has a copy that shares
/// it. Where it is of one segment, it then has a size but no kind of offload, and the kernel answers `EINVAL` in place
/// of the header. Since 4.20, mended in 5.11 and 5.4.93. Source: `tcp_add_backlog`, `virtio_net_hdr_from_skb`.
fn writes_into_copies(kernel: (u32, u32)) -> bool {
    ((4, 20)..(5, 11)).contains(&kernel)
}

fn set(socket: &Socket, level: i32, option: i32, value: libc::c_int) -> io::Result<()> {
    // SAFETY: the value is valid for the length given.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            option,
            std::ptr::from_ref(&value).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
