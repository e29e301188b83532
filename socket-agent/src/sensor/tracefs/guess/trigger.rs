//! Things the agent does so that the kernel does something predictable. All on loopback.

use std::{
    fs::File,
    io::{self, Read, Write},
    net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener, UdpSocket},
    ops::RangeInclusive,
    os::{
        fd::{AsRawFd, FromRawFd, OwnedFd},
        unix::fs::MetadataExt as _,
    },
    thread,
};

use linux::clock::Clock;

/// A random address of the loopback network, no byte of which is 0 or equals another.
pub(super) fn address() -> Ipv4Addr {
    let bytes = linux::random::uuid().into_bytes();
    Ipv4Addr::new(127, 1 | bytes[0] & 0x7e, 0x80 | bytes[1] & 0x7f | 2, 2 + (bytes[2] & 0x3f))
}

/// Ends of a connection that was tried.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tried {
    pub(super) local: SocketAddrV4,
    pub(super) remote: SocketAddrV4,
}

/// Connects from one random address to a port of another where nobody listens, over an IPv4 socket,
/// or an IPv6 one with mapped addresses. That it is refused, or stopped by a firewall, is of no
/// concern: it does not wait.
pub(super) fn connect(ipv6: bool) -> io::Result<Tried> {
    let family = if ipv6 { libc::AF_INET6 } else { libc::AF_INET };
    let kind = libc::SOCK_STREAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: no pointers; the result is checked.
    let socket = unsafe { libc::socket(family, kind, 0) };
    if socket < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: a descriptor that was just opened.
    let socket = unsafe { OwnedFd::from_raw_fd(socket) };
    // A port that was free a moment ago, whose two bytes differ.
    let remote = loop {
        let taken = TcpListener::bind((address(), 0))?;
        let SocketAddr::V4(remote) = taken.local_addr()? else { continue };
        let [high, low] = remote.port().to_be_bytes();
        if high != low && low != 0 {
            break remote;
        }
    };
    let mut local = SocketAddrV4::new(address(), 0);
    named(&socket, local, ipv6, libc::bind)?;
    local.set_port(local_port(&socket)?);
    match named(&socket, remote, ipv6, libc::connect) {
        Err(error)
            if !matches!(
                error.raw_os_error(),
                Some(libc::EINPROGRESS | libc::ECONNREFUSED | libc::EPERM | libc::EACCES)
            ) =>
        {
            Err(error)
        }
        _ => Ok(Tried { local, remote }),
    }
}

type Call =
    unsafe extern "C" fn(libc::c_int, *const libc::sockaddr, libc::socklen_t) -> libc::c_int;

/// Calls `bind` or `connect` with an address.
fn named(socket: &OwnedFd, end: SocketAddrV4, mapped: bool, call: Call) -> io::Result<()> {
    let result = if mapped {
        // SAFETY: all zeroes is a valid address structure.
        let mut name: libc::sockaddr_in6 = unsafe { std::mem::zeroed() };
        name.sin6_family = libc::AF_INET6 as libc::sa_family_t;
        name.sin6_port = end.port().to_be();
        name.sin6_addr.s6_addr = end.ip().to_ipv6_mapped().octets();
        // SAFETY: a structure of the length that is given, which outlives the call.
        unsafe {
            call(
                socket.as_raw_fd(),
                std::ptr::from_ref(&name).cast(),
                size_of::<libc::sockaddr_in6>() as libc::socklen_t,
            )
        }
    } else {
        // SAFETY: as above.
        let mut name: libc::sockaddr_in = unsafe { std::mem::zeroed() };
        name.sin_family = libc::AF_INET as libc::sa_family_t;
        name.sin_port = end.port().to_be();
        name.sin_addr.s_addr = u32::from_ne_bytes(end.ip().octets());
        // SAFETY: as above.
        unsafe {
            call(
                socket.as_raw_fd(),
                std::ptr::from_ref(&name).cast(),
                size_of::<libc::sockaddr_in>() as libc::socklen_t,
            )
        }
    };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn local_port(socket: &OwnedFd) -> io::Result<u16> {
    // The port is at the same place for both families.
    let bound = UdpSocket::from(socket.try_clone()?).local_addr()?;
    Ok(bound.port())
}

/// A datagram of `length` bytes from one random address to another, where it is received.
pub(super) fn datagram(length: usize) -> io::Result<(SocketAddr, SocketAddr)> {
    let (from, to) = (UdpSocket::bind((address(), 0))?, UdpSocket::bind((address(), 0))?);
    let ends = (from.local_addr()?, to.local_addr()?);
    // Not waited for: a firewall may stop it.
    to.set_nonblocking(true)?;
    let sent = from.send_to(&vec![0x5a; length], ends.1);
    let _ = to.recv_from(&mut [0; 16]);
    match sent {
        Err(error) if error.kind() != io::ErrorKind::PermissionDenied => Err(error),
        _ => Ok(ends),
    }
}

/// Binds a datagram socket to a random address. Returns the number of its inode.
pub(super) fn bound() -> io::Result<u64> {
    let socket = OwnedFd::from(UdpSocket::bind((address(), 0))?);
    Ok(File::from(socket).metadata()?.ino())
}

/// Segment size of [`bulk`], with its options.
const SEGMENT: libc::c_int = 1411;

/// A connection over which much is sent at once. Returns the size of its segments.
pub(super) fn bulk() -> io::Result<u32> {
    let listener = TcpListener::bind((address(), 0))?;
    let to = listener.local_addr()?;
    // Loopback takes so large packets that nothing would be cut.
    let limit: libc::c_int = SEGMENT;
    // SAFETY: a pointer to a number of the size that is given.
    let result = unsafe {
        libc::setsockopt(
            listener.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_MAXSEG,
            std::ptr::from_ref(&limit).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    let reader = thread::spawn(move || -> io::Result<u64> {
        let (mut stream, _) = listener.accept()?;
        stream.set_read_timeout(Some(std::time::Duration::from_secs(2)))?;
        io::copy(&mut Read::by_ref(&mut stream), &mut io::sink())
    });
    let mut stream = std::net::TcpStream::connect_timeout(&to, std::time::Duration::from_secs(2))?;
    for _ in 0..8 {
        stream.write_all(&[0x5a; 200_000])?;
    }
    let size = segment_size(&stream)?;
    drop(stream);
    // How much it got does not matter.
    let _ = reader.join();
    Ok(size)
}

fn segment_size(stream: &std::net::TcpStream) -> io::Result<u32> {
    let mut value: libc::c_int = 0;
    let mut length = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: pointers to a number and its size, which outlive the call.
    let result = unsafe {
        libc::getsockopt(
            stream.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_MAXSEG,
            std::ptr::from_mut(&mut value).cast(),
            &raw mut length,
        )
    };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    u32::try_from(value).map_err(io::Error::other)
}

/// A thread takes other ids: real, effective and saved. Only it has them, and it ends at once.
pub(super) fn other_ids(groups: [u32; 3], users: [u32; 3]) -> io::Result<()> {
    with_dumpable_kept(|| {
        let changed = thread::spawn(move || set_ids(groups, users));
        changed.join().map_err(|_| io::Error::other("the thread ended early"))?
    })
}

/// Changing ids takes from the whole process that it may be dumped; gives it back.
fn with_dumpable_kept<T>(act: impl FnOnce() -> T) -> T {
    // SAFETY: no pointers.
    let dumpable = unsafe { libc::prctl(libc::PR_GET_DUMPABLE) };
    let result = act();
    // SAFETY: no pointers.
    unsafe { libc::prctl(libc::PR_SET_DUMPABLE, dumpable) };
    result
}

/// Changes the ids of this thread alone.
fn set_ids(groups: [u32; 3], users: [u32; 3]) -> io::Result<()> {
    // On i386 the calls of these names take ids of 16 bits.
    #[cfg(target_arch = "x86")]
    let numbers = (libc::SYS_setresgid32, libc::SYS_setresuid32);
    #[cfg(not(target_arch = "x86"))]
    let numbers = (libc::SYS_setresgid, libc::SYS_setresuid);
    // The library's functions would change all threads.
    let calls = [(numbers.0, groups), (numbers.1, users)];
    calls.into_iter().try_for_each(|(call, [real, effective, saved])| {
        // SAFETY: system calls with numbers.
        let result = unsafe { libc::syscall(call, real, effective, saved) };
        if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    })
}

/// A thread that began.
#[derive(Clone, Debug)]
pub(super) struct Begun {
    pub(super) tid: u32,
    /// Its name, up to the end of what the kernel keeps of names.
    pub(super) name: [u8; 16],
    /// Boottime around its beginning, nanoseconds.
    pub(super) time: RangeInclusive<u64>,
}

/// Begins a thread, with other ids or the process's own, which ends at once. Its name is random.
pub(super) fn thread(ids: Option<([u32; 3], [u32; 3])>) -> io::Result<Begun> {
    let [one, two, three, four] = linux::random::uuid().into_bytes()[..4] else {
        return Err(io::Error::other("no name"));
    };
    let text = format!("guess-{one:02x}{two:02x}{three:02x}{four:02x}\0");
    let mut name = [0; 16];
    name[..text.len()].copy_from_slice(text.as_bytes());
    // The first thread has the name, which the second begins with.
    let begin = move || -> io::Result<Begun> {
        // SAFETY: a terminated string that outlives the call.
        unsafe { libc::prctl(libc::PR_SET_NAME, name.as_ptr()) };
        if let Some((groups, users)) = ids {
            set_ids(groups, users)?;
        }
        let before = Clock::boottime();
        // SAFETY: no preconditions.
        let second = thread::Builder::new().spawn(|| unsafe { libc::gettid() })?;
        let time = before..=Clock::boottime();
        let tid = second.join().map_err(|_| io::Error::other("the thread ended early"))?;
        Ok(Begun { tid: tid.unsigned_abs(), name, time })
    };
    with_dumpable_kept(|| {
        let first = thread::Builder::new().spawn(begin)?;
        first.join().map_err(|_| io::Error::other("the thread ended early"))?
    })
}

/// Where this process's arguments begin and end in its memory: fields 48 and 49 of its `stat`.
pub(super) fn argument_ends() -> Option<[usize; 2]> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(45);
    let ends = [fields.next()?.parse().ok()?, fields.next()?.parse().ok()?];
    (ends[0] != 0).then_some(ends)
}

/// The bytes that an IPv6 socket keeps of an IPv4 address.
pub(super) fn mapped(end: SocketAddrV4) -> [u8; 16] {
    end.ip().to_ipv6_mapped().octets()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_loopback_and_differ() {
        let addresses: std::collections::HashSet<_> = (0..20).map(|_| address()).collect();
        assert!(addresses.len() > 15);
        assert!(addresses.iter().all(|address| address.is_loopback()));
    }

    #[test]
    fn refused_connects_and_datagrams_have_the_ends_they_tell() {
        let tried = connect(false).unwrap();
        assert_ne!(tried.local.port(), 0);
        assert_ne!(tried.local.ip(), tried.remote.ip());
        let (from, to) = datagram(33).unwrap();
        assert!(from != to && from.ip().is_loopback());
    }

    #[test]
    fn a_thread_begins_with_its_name_within_the_time() {
        let (one, two) = (thread(None).unwrap(), thread(None).unwrap());
        assert!(one.tid != two.tid && one.name != two.name);
        assert!(one.name.starts_with(b"guess-") && one.name[14] == 0);
        assert!(one.time.end() < two.time.start());
    }

    #[test]
    fn the_arguments_are_where_proc_says() {
        let [start, end] = argument_ends().unwrap();
        let length = std::fs::read("/proc/self/cmdline").unwrap().len();
        assert_eq!(end - start, length);
    }

    #[test]
    fn a_bulk_transfer_has_segments() {
        let size = bulk().unwrap();
        assert!(size > 500 && size <= SEGMENT.unsigned_abs(), "{size}");
    }
}
