//! io_uring operations that the kernel audits (`io_uring/opdef.c`: those without `audit_skip`).
//! Rules on them need Linux 5.16.

use linux::NameTable;

/// IORING_OP_*.
pub const IO_URING: NameTable = NameTable(&[
    (9, "sendmsg"),
    (10, "recvmsg"),
    (13, "accept"),
    (16, "connect"),
    (17, "fallocate"),
    (18, "openat"),
    (19, "close"),
    (28, "openat2"),
    (34, "shutdown"),
    (35, "renameat"),
    (36, "unlinkat"),
    (37, "mkdirat"),
    (38, "symlinkat"),
    (39, "linkat"),
    (40, "msg_ring"),
    (41, "fsetxattr"),
    (42, "setxattr"),
    (43, "fgetxattr"),
    (44, "getxattr"),
    (46, "uring_cmd"),
    (48, "sendmsg_zc"),
    (50, "waitid"),
    (51, "futex_wait"),
    (52, "futex_wake"),
    (53, "futex_waitv"),
    (54, "fixed_fd_install"),
    (55, "ftruncate"),
    (56, "bind"),
    (57, "listen"),
    (64, "uring_cmd128"),
]);
