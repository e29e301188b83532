//! Audit rules as other programs and the kernel have them.

mod auditctl;
mod golden;
mod host;
mod netlink;
mod random;
