//! An id for a process that outlives its pid and the agent.

use std::{fs, path::Path};

use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use sha2::{Digest, Sha256};

/// Bytes of the hash that make an id: 16 characters of base64.
const LENGTH: usize = 12;
const NANOS: u64 = 1_000_000_000;

/// The unit in which `/proc/<pid>/stat` tells when a process started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticks {
    /// Per second: `USER_HZ`, 100 wherever Linux runs except on Alpha and IA-64.
    per_second: u64,
}

/// What names a process on this host: pid and start time.
///
/// The start is cut to clock ticks because `/proc` shows no more. The kernel would have to hand out
/// every other pid within one tick, 10 ms, for two processes to share both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// Process id in the initial pid namespace.
    pub pid: u32,
    /// Start after boot, in clock ticks.
    pub start_ticks: u64,
}

/// What makes ids of this host and of this boot differ from all others.
#[derive(Clone, Debug)]
pub struct Identity {
    prefix: Sha256,
}

// === impl Ticks ===

impl Ticks {
    /// Asks the C library, which has it from the kernel.
    pub fn of_this_host() -> Self {
        let per_second = nix::unistd::sysconf(nix::unistd::SysconfVar::CLK_TCK).ok().flatten();
        let per_second = per_second.and_then(|value| u64::try_from(value).ok()).unwrap_or(100);
        Self::per_second(per_second)
    }

    /// A given rate; zero is taken for one.
    pub const fn per_second(per_second: u64) -> Self {
        Self { per_second: if per_second == 0 { 1 } else { per_second } }
    }

    /// Cuts boottime nanoseconds to ticks exactly as the kernel does for `/proc/<pid>/stat`.
    ///
    /// Source: `nsec_to_clock_t` in kernel/time/time.c.
    pub const fn of_nanos(self, nanos: u64) -> u64 {
        if NANOS.is_multiple_of(self.per_second) {
            nanos / (NANOS / self.per_second)
        } else {
            (nanos as u128 * self.per_second as u128 / NANOS as u128) as u64
        }
    }

    /// The first nanosecond of a tick.
    pub const fn to_nanos(self, ticks: u64) -> u64 {
        let nanos = (ticks as u128 * NANOS as u128).div_ceil(self.per_second as u128);
        if nanos > u64::MAX as u128 { u64::MAX } else { nanos as u64 }
    }
}

// === impl Identity ===

impl Identity {
    /// Of a machine id and a boot id, either of which may be empty.
    pub fn new(machine_id: &str, boot_id: &str) -> Self {
        let mut prefix = Sha256::new();
        for part in [machine_id, boot_id] {
            prefix.update(part.as_bytes());
            prefix.update([0]);
        }
        Self { prefix }
    }

    /// Of this host: `/proc/sys/kernel/random/boot_id` and the machine id given.
    pub fn of_this_boot(machine_id: &str, proc: &Path) -> Self {
        let boot_id = fs::read_to_string(proc.join("sys/kernel/random/boot_id"));
        Self::new(machine_id, boot_id.as_deref().unwrap_or_default().trim())
    }

    /// `process.entity_id`: the first 12 bytes of a SHA-256 over machine id, boot id, pid and start
    /// in clock ticks after boot, as unpadded base64.
    ///
    /// It depends on nothing that differs between two runs of the agent, or between a process
    /// learnt from `/proc` and one learnt from the kernel. The boot id stands where others use the
    /// wall time of the boot, which moves when the clock is set.
    pub fn entity_id(&self, key: Key) -> Box<str> {
        let hash = self
            .prefix
            .clone()
            .chain_update(key.pid.to_le_bytes())
            .chain_update(key.start_ticks.to_le_bytes())
            .finalize();
        STANDARD_NO_PAD.encode(&hash[..LENGTH]).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HZ: Ticks = Ticks::per_second(100);

    #[test]
    fn proc_and_kernel_give_the_same_id() {
        let identity = Identity::new("machine", "boot");
        // The kernel says nanoseconds, /proc says the tick these fall into.
        for nanos in [0, 1, 9_999_999, 10_000_000, 123_456_789_012_345, u64::MAX] {
            let kernel = Key { pid: 42, start_ticks: HZ.of_nanos(nanos) };
            let from_proc = HZ.to_nanos(kernel.start_ticks);
            assert!(from_proc <= nanos && nanos - from_proc < 10_000_000, "{nanos}");
            let proc = Key { pid: 42, start_ticks: HZ.of_nanos(from_proc) };
            assert_eq!(identity.entity_id(kernel), identity.entity_id(proc));
        }
    }

    #[test]
    fn ticks_that_do_not_divide_a_second() {
        let odd = Ticks::per_second(1024);
        for ticks in [0, 1, 7, 1_023, 1_024, 99_999_999] {
            assert_eq!(odd.of_nanos(odd.to_nanos(ticks)), ticks);
        }
        assert_eq!(Ticks::per_second(0).of_nanos(5 * NANOS), 5);
    }

    #[test]
    fn ids_are_stable_and_distinct() {
        let key = Key { pid: 4970, start_ticks: 12_345 };
        let id = Identity::new("machine", "boot").entity_id(key);
        // Fixed: an upgrade of the agent must not rename running processes.
        assert_eq!(&*id, "y0wzRebwdBOfsETc");
        assert_eq!(id.len(), 16);
        for (machine, boot, pid, start_ticks) in [
            ("other", "boot", 4970, 12_345),
            ("machine", "other", 4970, 12_345),
            ("machineb", "oot", 4970, 12_345),
            ("machine", "boot", 4971, 12_345),
            ("machine", "boot", 4970, 12_346),
        ] {
            assert_ne!(id, Identity::new(machine, boot).entity_id(Key { pid, start_ticks }));
        }
    }
}
