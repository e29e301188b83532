//! Memory that the kernel's tables take: all of it when they are created, whatever is in them.
//!
//! Source: `kernel/bpf/hashtab.c`, `struct htab_elem` and `struct bucket`.

use std::fmt::Write as _;

use socket_common::{Flow, Late, PeerKey, Pending, SocketOwner, Tuple};

use crate::{SensorError, SocketConfig, Tables};

/// What the tables may take of the memory that is to be had: one part in so many.
const SHARE: u64 = 4;
/// What it takes to load programs, beside the tables, in bytes: the agent's view of the kernel's types, and what the
/// verifier keeps of a program while it looks at it. On 6.1 with 63 MiB and tables of 14 MiB the kernel killed the
/// agent, with 76 MiB it did not.
const LOADING: u64 = 64 << 20;
/// `struct htab_elem` without key and value.
const ELEMENT: usize = 48;
/// `struct bucket`, of which there are as many as entries, rounded up to a power of two.
const BUCKET: u64 = 16;
/// Smallest size that a table is made without being asked for it: entries, and bytes of a ring.
const FEWEST: u32 = 256;
const SMALLEST_RING: u32 = 64 << 10;
/// The option of the ring of DNS packets.
const DNS: &str = "socket.dns.af_packet.ring";

/// A table: the name of its option below `socket.tables`, its size, and the bytes that one entry takes.
struct Table<'t> {
    option: &'static str,
    size: &'t mut u32,
    entry: u64,
}

/// All tables that take memory.
fn tables(config: &mut SocketConfig) -> Vec<Table<'_>> {
    const fn entry(key: usize, value: usize) -> u64 {
        (ELEMENT + key.next_multiple_of(8) + value.next_multiple_of(8)) as u64
    }
    let from_sockets = config.dns.from_sockets();
    let SocketConfig { tables, dns, .. } = config;
    let Tables { flows, peers, owners, pending, late, spill, ring } = tables;
    let (flow, tuple) = (size_of::<Flow>(), size_of::<Tuple>());
    let table = |option, size, entry| Table { option, size, entry };
    let mut all = vec![
        table("flows", flows, entry(8, flow)),
        table("peers", peers, entry(size_of::<PeerKey>(), flow)),
        table("owners", owners, entry(8, size_of::<SocketOwner>())),
        table("pending", pending, entry(tuple, size_of::<Pending>())),
        table("late", late, entry(tuple, size_of::<Late>())),
        table("spill", spill, entry(8, flow)),
        table("ring", ring, 0),
    ];
    if from_sockets {
        all.push(table(DNS, &mut dns.ring, 0));
    }
    all
}

impl Table<'_> {
    fn bytes(&self) -> u64 {
        let size = u64::from(*self.size);
        if self.entry == 0 { size } else { size * self.entry + size.next_power_of_two() * BUCKET }
    }

    fn halve(&mut self) {
        let least = if self.entry == 0 { SMALLEST_RING } else { FEWEST };
        *self.size = (*self.size / 2).max(least).min(*self.size);
    }

    fn name(&self) -> String {
        match self.option {
            DNS => DNS.to_owned(),
            table => format!("socket.tables.{table}"),
        }
    }
}

/// Bytes that the tables of a configuration take.
pub fn bytes(config: &SocketConfig) -> u64 {
    tables(&mut config.clone()).iter().map(Table::bytes).sum()
}

/// What tables may take of the memory that the machine has, and of that which the agent may have of it, in bytes.
///
/// # Errors
///
/// The machine has less than it takes to load programs: it would begin to end processes meanwhile, and to load none
/// is better.
pub fn share(machine: u64, available: u64) -> Result<u64, SensorError> {
    match machine.checked_sub(LOADING) {
        Some(rest) if rest > 0 => Ok(rest.min(available / SHARE)),
        _ => {
            Err(SensorError::Machine { available: mebibytes(machine), needed: mebibytes(LOADING) })
        }
    }
}

/// The configuration with tables that take no more than their share, by halving all of them; `None` if that is so
/// already.
pub fn shrunk(config: &SocketConfig, share: u64) -> Option<SocketConfig> {
    let mut smaller = config.clone();
    while bytes(&smaller) > share {
        let Some(next) = halved(&smaller) else { break };
        smaller = next;
    }
    (smaller != *config).then_some(smaller)
}

/// The configuration with tables of half the size; `None` if they are as small as they get.
pub fn halved(config: &SocketConfig) -> Option<SocketConfig> {
    let mut smaller = config.clone();
    tables(&mut smaller).iter_mut().for_each(Table::halve);
    (smaller != *config).then_some(smaller)
}

/// All options that say how much memory the tables take, with their values.
pub fn describe(config: &SocketConfig) -> String {
    let mut config = config.clone();
    let total = bytes(&config);
    let mut text = format!("{} together, of ", mebibytes(total));
    for (index, table) in tables(&mut config).iter().enumerate() {
        let comma = if index == 0 { "" } else { ", " };
        let (name, size) = (table.name(), *table.size);
        // Writing to a string does not fail.
        let _ = write!(text, "{comma}{name}: {size} ({})", mebibytes(table.bytes()));
    }
    text
}

/// A number of bytes as a user reads it.
pub fn mebibytes(bytes: u64) -> String {
    let tenths = (bytes * 10).div_ceil(1 << 20);
    format!("{}.{} MiB", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_memory_enough_for_the_defaults_on_a_usual_host() {
        let config = SocketConfig::default();
        assert!((64 << 20..160 << 20).contains(&bytes(&config)), "{}", bytes(&config));
        assert_eq!(shrunk(&config, share(1 << 30, 1 << 30).unwrap()), None);
    }

    #[test]
    fn tables_leave_what_the_load_takes_and_most_of_what_the_agent_may_have() {
        assert_eq!(share(1 << 30, 100 << 20).unwrap(), 25 << 20);
        assert_eq!(share(76 << 20, 76 << 20).unwrap(), 12 << 20);
        let error = share(63 << 20, 1 << 30).unwrap_err().to_string();
        assert!(error.contains("63.0 MiB") && error.contains("64.0 MiB"), "{error}");
    }

    #[test]
    fn tables_shrink_together_to_their_share() {
        let config = SocketConfig::default();
        let smaller = shrunk(&config, 25 << 20).unwrap();
        assert!(bytes(&smaller) <= 25 << 20, "{}", bytes(&smaller));
        assert!(bytes(&smaller) > 12 << 20, "no smaller than need be");
        let (before, after) = (config.tables, smaller.tables);
        assert_eq!(before.flows / after.flows, before.late / after.late);
        assert!(after.ring.is_power_of_two());
    }

    #[test]
    fn what_is_small_already_stays() {
        let mut config = SocketConfig::default();
        config.tables.flows = 4;
        config.tables.ring = 4096;
        let smaller = shrunk(&config, 0).unwrap();
        assert_eq!((smaller.tables.flows, smaller.tables.ring), (4, 4096));
        assert_eq!(smaller.tables.peers, FEWEST);
        assert_eq!(halved(&smaller), None);
        assert_eq!(shrunk(&smaller, 0), None);
    }

    #[test]
    fn all_options_are_named() {
        let text = describe(&SocketConfig::default());
        for option in ["flows", "peers", "owners", "pending", "late", "spill", "ring"] {
            assert!(text.contains(&format!("socket.tables.{option}: ")), "{text}");
        }
        assert!(
            text.contains("socket.dns.af_packet.ring: ") && text.contains("MiB together"),
            "{text}"
        );
    }
}
