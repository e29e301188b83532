//! Address families: `include/linux/socket.h`.

use super::table::{self, Table};

/// One more than the largest family, as of Linux 6.18; rules with larger ones are refused.
pub const END: u32 = 46;

/// The name of a number.
pub fn name(family: u32) -> Option<&'static str> {
    table::name(TABLE, family)
}

/// The number of a name.
pub fn number(name: &str) -> Option<u32> {
    table::number(TABLE, name)
}

/// Every name.
pub fn names() -> impl Iterator<Item = &'static str> {
    table::names(TABLE)
}

const TABLE: &Table = &[
    (0, "unspec"),
    (1, "unix"),
    (1, "local"),
    (2, "inet"),
    (3, "ax25"),
    (4, "ipx"),
    (5, "appletalk"),
    (6, "netrom"),
    (7, "bridge"),
    (8, "atmpvc"),
    (9, "x25"),
    (10, "inet6"),
    (11, "rose"),
    (13, "netbeui"),
    (14, "security"),
    (15, "key"),
    (16, "netlink"),
    (17, "packet"),
    (18, "ash"),
    (19, "econet"),
    (20, "atmsvc"),
    (21, "rds"),
    (22, "sna"),
    (23, "irda"),
    (24, "pppox"),
    (25, "wanpipe"),
    (26, "llc"),
    (27, "ib"),
    (28, "mpls"),
    (29, "can"),
    (30, "tipc"),
    (31, "bluetooth"),
    (32, "iucv"),
    (33, "rxrpc"),
    (34, "isdn"),
    (35, "phonet"),
    (36, "ieee802154"),
    (37, "caif"),
    (38, "alg"),
    (39, "nfc"),
    (40, "vsock"),
    (41, "kcm"),
    (42, "qipcrtr"),
    (43, "smc"),
    (44, "xdp"),
    (45, "mctp"),
];
