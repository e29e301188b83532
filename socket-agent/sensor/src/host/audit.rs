//! Check of the audit framework.
//!
//! Source: `include/uapi/linux/audit.h`, `kernel/audit.c`.

use std::{
    io,
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
};

use super::facility::Probe;

const GET: u16 = 1000;
/// Length of a netlink header.
const HEADER: usize = 16;
/// Length of a netlink header and the fields of `struct audit_status` that every kernel has.
const REQUEST: usize = HEADER + 32;

pub(super) fn probe() -> Probe {
    match status() {
        Ok((enabled, pid)) => {
            let state = match enabled {
                0 => "off",
                1 => "on",
                2 => "on and locked",
                _ => "in a state not known",
            };
            let daemon =
                if pid == 0 { "no daemon".to_owned() } else { format!("daemon {pid} listens") };
            Probe::available(format!("answers: auditing is {state}, {daemon}"))
        }
        Err(error) if error.raw_os_error() == Some(libc::EPERM) => Probe::unprobed(
            format!("asking for its status: {error}"),
            "run as root in the initial user and pid namespace, or grant CAP_AUDIT_CONTROL",
        ),
        Err(error) => Probe::missing(
            format!("asking for its status: {error}"),
            "use a kernel with CONFIG_AUDIT=y that is booted without audit=0 (or audit=off, which is \
             the same), from the initial network namespace; the socket dataset does without",
        ),
    }
}

/// Whether auditing is on, and who gets the events.
fn status() -> io::Result<(u32, u32)> {
    // SAFETY: integers only.
    let socket = unsafe {
        libc::socket(libc::AF_NETLINK, libc::SOCK_RAW | libc::SOCK_CLOEXEC, libc::NETLINK_AUDIT)
    };
    if socket < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just returned this descriptor to us alone.
    let socket = unsafe { OwnedFd::from_raw_fd(socket) };
    let mut request = [0_u8; REQUEST];
    request[..4].copy_from_slice(&(REQUEST as u32).to_ne_bytes());
    request[4..6].copy_from_slice(&GET.to_ne_bytes());
    request[6..8].copy_from_slice(&(libc::NLM_F_REQUEST as u16).to_ne_bytes());
    // SAFETY: the buffer is valid for reads of the given length.
    let sent = unsafe { libc::send(socket.as_raw_fd(), request.as_ptr().cast(), request.len(), 0) };
    if sent < 0 {
        return Err(io::Error::last_os_error());
    }
    answer(&receive(&socket)?)
}

/// The kernel has queued its answer before `send` returns; one second is for a surprise.
fn receive(socket: &OwnedFd) -> io::Result<Vec<u8>> {
    let mut ready = libc::pollfd { fd: socket.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: one valid structure is passed.
    match unsafe { libc::poll(&raw mut ready, 1, 1000) } {
        0 => return Err(io::Error::new(io::ErrorKind::TimedOut, "no answer within a second")),
        1 => {}
        _ => return Err(io::Error::last_os_error()),
    }
    let mut buffer = vec![0_u8; 4096];
    // SAFETY: the buffer is valid for writes of the given length.
    let length =
        unsafe { libc::recv(socket.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len(), 0) };
    let length = usize::try_from(length).map_err(|_| io::Error::last_os_error())?;
    buffer.truncate(length);
    Ok(buffer)
}

/// `enabled` and `pid` of `struct audit_status`, or the error in the answer.
fn answer(message: &[u8]) -> io::Result<(u32, u32)> {
    let word = |offset: usize| -> io::Result<u32> {
        let bytes = message.get(offset..offset + 4).and_then(|bytes| bytes.try_into().ok());
        bytes
            .map(u32::from_ne_bytes)
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the answer is too short"))
    };
    let kind = word(4)? & 0xffff;
    if kind == libc::NLMSG_ERROR as u32 {
        let code = word(HEADER)? as i32;
        return Err(io::Error::from_raw_os_error(code.wrapping_neg()));
    }
    if kind != u32::from(GET) {
        let reason = format!("an answer of type {kind} was not expected");
        return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
    }
    Ok((word(HEADER + 4)?, word(HEADER + 12)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u16, words: &[u32]) -> Vec<u8> {
        let mut bytes = vec![0; HEADER];
        bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
        bytes.extend(words.iter().flat_map(|word| word.to_ne_bytes()));
        bytes
    }

    #[test]
    fn answers() {
        let status = message(GET, &[0, 1, 2, 4711, 0, 64, 0, 0]);
        assert_eq!(answer(&status).unwrap(), (1, 4711));
        let refused = message(2, &[(-libc::EPERM) as u32]);
        assert_eq!(answer(&refused).unwrap_err().raw_os_error(), Some(libc::EPERM));
        assert!(answer(&message(1234, &[0; 8])).is_err());
        assert!(answer(&status[..HEADER + 4]).is_err());
        assert!(answer(&[]).is_err());
    }
}
