//! A packet socket with a ring that kernel and agent share: packet(7), `PACKET_RX_RING`.
//!
//! `TPACKET_V2` (Linux 2.6.27) and not V3: a packet can be read as soon as it is there, so that a
//! flow that is reported a moment after its name was answered has it; and no timer runs while
//! nothing arrives.

use std::{
    io,
    mem::offset_of,
    os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
    ptr::NonNull,
    sync::atomic::{AtomicU32, Ordering},
};

use libc::{c_int, c_void, sock_filter, sock_fprog, sockaddr_ll, tpacket_req, tpacket2_hdr};
use zerocopy::{BigEndian, FromBytes, U16};

/// Where the packet begins in a frame: `TPACKET_ALIGN(TPACKET2_HDRLEN) + 16`.
const DATA: usize = 80;
/// Where the address begins: `TPACKET_ALIGN(sizeof(struct tpacket2_hdr))`.
const ADDRESS: usize = 32;
const ALIGNMENT: usize = 16;
/// Smallest block; the kernel makes do with single pages where it finds no larger ones.
const BLOCK: usize = 64 << 10;
/// Frames that are read at a time, so that one ring does not keep the others waiting.
const TURN: usize = 1024;

/// Sizes of a ring.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    /// Bytes of a packet that are kept, from the network header on.
    pub(super) snaplen: u32,
    /// Bytes of kernel memory.
    pub(super) size: u32,
}

/// `struct tpacket2_hdr` (`include/uapi/linux/if_packet.h`).
#[repr(C)]
#[derive(FromBytes)]
struct FrameHeader {
    _status: u32,
    _length: u32,
    captured: u32,
    _link: u16,
    network: u16,
    seconds: u32,
    nanoseconds: u32,
    _vlan: [u16; 2],
    _padding: [u8; 4],
}

/// The beginning of `struct sockaddr_ll`, packet(7).
#[repr(C)]
#[derive(FromBytes)]
struct LinkAddress {
    _family: u16,
    /// The ethertype.
    protocol: U16<BigEndian>,
}

const _: () = {
    assert!(size_of::<FrameHeader>() == size_of::<tpacket2_hdr>());
    assert!(offset_of!(FrameHeader, network) == offset_of!(tpacket2_hdr, tp_net));
    assert!(offset_of!(FrameHeader, nanoseconds) == offset_of!(tpacket2_hdr, tp_nsec));
    assert!(offset_of!(LinkAddress, protocol) == offset_of!(sockaddr_ll, sll_protocol));
};

/// A packet as it lies in the ring.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame<'r> {
    pub(super) ethertype: u16,
    /// Wall time, nanoseconds since the epoch.
    pub(super) time: i128,
    pub(super) bytes: &'r [u8],
}

/// A socket and its ring.
#[derive(Debug)]
pub(super) struct Ring {
    socket: OwnedFd,
    memory: NonNull<c_void>,
    length: usize,
    frame: usize,
    per_block: usize,
    block: usize,
    frames: usize,
    /// The frame that the kernel fills next.
    cursor: usize,
    /// The interface it listens on; 0 is all of them, `None` none.
    interface: Option<c_int>,
    drops: u64,
}

// === impl Ring ===

impl Ring {
    /// Opens a socket in the network namespace of the calling thread; it hears nothing yet.
    ///
    /// # Errors
    ///
    /// The kernel has no packet sockets, the agent lacks `CAP_NET_RAW`, or there is no memory.
    pub(super) fn open(shape: Shape, filter: &mut [sock_filter]) -> io::Result<Self> {
        // SAFETY: no memory is involved.
        let raw = unsafe {
            libc::socket(
                libc::AF_PACKET,
                libc::SOCK_DGRAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK,
                0,
            )
        };
        if raw < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the kernel just made it, and nothing else owns it.
        let socket = unsafe { OwnedFd::from_raw_fd(raw) };
        let fprog = sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
        set(&socket, libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, &fprog)?;
        let version = libc::tpacket_versions::TPACKET_V2 as c_int;
        set(&socket, libc::SOL_PACKET, libc::PACKET_VERSION, &version)?;

        let frame = (DATA + shape.snaplen as usize).next_multiple_of(ALIGNMENT);
        let block = frame.next_power_of_two().max(BLOCK);
        let per_block = block / frame;
        let blocks = (shape.size as usize / block).max(1);
        let (frames, length) = (blocks * per_block, blocks * block);
        let request = tpacket_req {
            tp_block_size: block as u32,
            tp_block_nr: blocks as u32,
            tp_frame_size: frame as u32,
            tp_frame_nr: frames as u32,
        };
        set(&socket, libc::SOL_PACKET, libc::PACKET_RX_RING, &request)?;
        // SAFETY: a new mapping, of the length that the kernel was just asked for.
        let memory = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                length,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                socket.as_raw_fd(),
                0,
            )
        };
        if memory == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let memory = NonNull::new(memory).ok_or_else(|| io::Error::other("mapped at zero"))?;
        Ok(Self {
            socket,
            memory,
            length,
            frame,
            per_block,
            block,
            frames,
            cursor: 0,
            interface: None,
            drops: 0,
        })
    }

    /// Listens on one interface, by its index in the namespace of the ring, or on all of them (0).
    pub(super) fn listen(&mut self, interface: c_int) -> io::Result<()> {
        // SAFETY: sockaddr_ll is plain data for which all zeroes are valid.
        let mut address: sockaddr_ll = unsafe { std::mem::zeroed() };
        address.sll_family = libc::AF_PACKET as u16;
        address.sll_protocol = (libc::ETH_P_ALL as u16).to_be();
        address.sll_ifindex = interface;
        // SAFETY: the address is valid and of the length given.
        let bound = unsafe {
            libc::bind(
                self.socket.as_raw_fd(),
                std::ptr::from_ref(&address).cast(),
                size_of::<sockaddr_ll>() as libc::socklen_t,
            )
        };
        if bound < 0 {
            return Err(io::Error::last_os_error());
        }
        self.interface = Some(interface);
        Ok(())
    }

    /// Listens on the interface of this name, if there is one and it is another than before.
    pub(super) fn follow(&mut self, name: &str) -> io::Result<()> {
        match self.index(name) {
            Ok(index) if self.interface != Some(index) => self.listen(index),
            Ok(_) => Ok(()),
            Err(error) if error.raw_os_error() == Some(libc::ENODEV) => {
                self.interface = None;
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// The index of an interface in the namespace of the ring.
    fn index(&self, name: &str) -> io::Result<c_int> {
        // SAFETY: ifreq is plain data for which all zeroes are valid.
        let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
        let longest = request.ifr_name.len() - 1;
        for (to, from) in request.ifr_name.iter_mut().take(longest).zip(name.bytes()) {
            *to = from as libc::c_char;
        }
        // SAFETY: SIOCGIFINDEX reads the name and writes the index, both within the structure.
        let result = unsafe {
            libc::ioctl(self.socket.as_raw_fd(), libc::SIOCGIFINDEX as _, &raw mut request)
        };
        if result < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the kernel wrote this member of the union.
        Ok(unsafe { request.ifr_ifru.ifru_ifindex })
    }

    /// Calls `each` for the packets that wait, up to some number; returns whether more may wait.
    pub(super) fn read(&mut self, mut each: impl FnMut(Frame<'_>)) -> bool {
        for _ in 0..TURN {
            let at = (self.cursor / self.per_block) * self.block
                + (self.cursor % self.per_block) * self.frame;
            // SAFETY: the frame lies within the mapping, since `cursor` is below `frames`.
            let start = unsafe { self.memory.as_ptr().cast::<u8>().add(at) };
            // SAFETY: a frame begins with its status, aligned to 16 bytes, shared with the kernel.
            let status = unsafe { AtomicU32::from_ptr(start.cast()) };
            if status.load(Ordering::Acquire) & libc::TP_STATUS_USER == 0 {
                return false;
            }
            // SAFETY: the kernel does not touch the frame until its status is given back below; all
            // of it is initialised memory.
            let frame = unsafe { std::slice::from_raw_parts(start, self.frame) };
            if let Some(frame) = parse(frame) {
                each(frame);
            }
            status.store(libc::TP_STATUS_KERNEL, Ordering::Release);
            self.cursor = (self.cursor + 1) % self.frames;
        }
        true
    }

    /// Packets that found no room.
    pub(super) fn drops(&mut self) -> u64 {
        // SAFETY: tpacket_stats is plain data for which all zeroes are valid.
        let mut statistics: libc::tpacket_stats = unsafe { std::mem::zeroed() };
        let mut length = size_of::<libc::tpacket_stats>() as libc::socklen_t;
        // SAFETY: the structure is valid for the length given.
        let result = unsafe {
            libc::getsockopt(
                self.socket.as_raw_fd(),
                libc::SOL_PACKET,
                libc::PACKET_STATISTICS,
                (&raw mut statistics).cast(),
                &raw mut length,
            )
        };
        if result == 0 {
            // Reading sets it to zero.
            self.drops += u64::from(statistics.tp_drops);
        }
        self.drops
    }
}

impl AsFd for Ring {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        // SAFETY: mapped by `open` with this length, and no frame outlives a call of `read`.
        unsafe { libc::munmap(self.memory.as_ptr(), self.length) };
    }
}

/// Reads a frame; `None` if its header contradicts itself.
fn parse(frame: &[u8]) -> Option<Frame<'_>> {
    let (header, _) = FrameHeader::read_from_prefix(frame).ok()?;
    let (address, _) = LinkAddress::read_from_prefix(frame.get(ADDRESS..)?).ok()?;
    let start = usize::from(header.network);
    Some(Frame {
        ethertype: address.protocol.get(),
        time: i128::from(header.seconds) * 1_000_000_000 + i128::from(header.nanoseconds),
        bytes: frame.get(start..start + header.captured as usize)?,
    })
}

fn set<T>(socket: &OwnedFd, level: c_int, option: c_int, value: &T) -> io::Result<()> {
    // SAFETY: the value is valid for the length given.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            option,
            std::ptr::from_ref(value).cast(),
            size_of::<T>() as libc::socklen_t,
        )
    };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
