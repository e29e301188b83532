//! Why the kernel did not do what it was asked.

use std::io;

/// A request that failed.
#[derive(Debug, thiserror::Error)]
#[error("audit: {what}: {fault}{}", remedy(what, fault))]
pub struct RequestError {
    /// Description of the request.
    pub what: &'static str,
    /// Why it was not done.
    pub fault: Fault,
}

/// Reasons for which a request fails.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The kernel says no, or the socket does.
    #[error("{0}")]
    Refused(io::Error),
    /// No answer came within this number of seconds.
    #[error("the kernel did not answer within {0} s")]
    Silent(u64),
    /// Less came back than every kernel answers.
    #[error("the kernel's answer has {0} bytes, fewer than any kernel's")]
    Short(usize),
}

impl Fault {
    /// The number of the error that the kernel gave.
    pub fn errno(&self) -> Option<i32> {
        match self {
            Self::Refused(error) => error.raw_os_error(),
            Self::Silent(_) | Self::Short(_) => None,
        }
    }
}

/// What listening beside the audit daemon is called in errors.
pub(super) const LISTENING: &str = "listening beside the audit daemon";

fn remedy(what: &str, fault: &Fault) -> &'static str {
    match fault.errno() {
        Some(libc::EPERM) if what == LISTENING => {
            "; run as root in the initial user namespace, or grant CAP_AUDIT_READ (to be the audit \
             daemon: CAP_AUDIT_CONTROL)"
        }
        Some(libc::EPERM | libc::EACCES) => {
            "; run as root in the initial user and pid namespace, or grant CAP_AUDIT_CONTROL"
        }
        Some(libc::ECONNREFUSED | libc::EPROTONOSUPPORT | libc::EAFNOSUPPORT) => {
            "; use a kernel with CONFIG_AUDIT=y that is booted without audit=0 (or audit=off, which is \
             the same), in the initial user and network namespace"
        }
        _ => "",
    }
}
