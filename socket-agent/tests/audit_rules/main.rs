//! Audit rules as other programs and the kernel have them.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "these are tests, also where they are no test functions"
)]

mod auditctl;
mod calls;
mod golden;
mod host;
mod netlink;
mod random;
mod survives;
