//! Typed access to the kernel's tables.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use aya::{
    Pod,
    maps::{HashMap, MapData, PerCpuArray},
};
use socket_common::{
    BEGUN, CopiedHook, Counter, ESTABLISHED, Flow, Late, PeerKey, Pending, SUBSTITUTES,
    SocketOwner, Tuple,
};

pub(super) use super::sys::{Element, Walk};
use super::{sets::COPIED_HOOKS, sys};
use crate::SensorError;

/// A shared type as aya wants it.
#[repr(transparent)]
#[derive(Clone, Copy, Default)]
pub(super) struct Plain<T>(pub(super) T);

// SAFETY: an element has no padding and is valid whatever its bytes are, which the traits of
// zerocopy stand for; so is a structure that has its layout.
unsafe impl<T: Element> Pod for Plain<T> {}

/// One hash table.
pub(super) struct Table<K, V> {
    map: HashMap<MapData, Plain<K>, Plain<V>>,
    fd: OwnedFd,
    name: &'static str,
    /// Cleared when the kernel turns out not to know the operation.
    batch: bool,
    take: bool,
}

impl<K: Element + Default, V: Element + Default> Table<K, V> {
    pub(super) fn open(map: aya::maps::Map, name: &'static str) -> Result<Self, SensorError> {
        let failed = |source| SensorError::Map { map: name, source };
        let fd = match &map {
            aya::maps::Map::HashMap(data) => data.fd().as_fd().try_clone_to_owned(),
            _ => Err(std::io::Error::other("not a hash map")),
        }
        .map_err(failed)?;
        let map = HashMap::try_from(map)
            .map_err(|error| failed(std::io::Error::other(error.to_string())))?;
        Ok(Self { map, fd, name, batch: true, take: true })
    }

    fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    fn failed(&self, source: std::io::Error) -> SensorError {
        SensorError::Map { map: self.name, source }
    }

    /// Calls `each` for every element.
    pub(super) fn each(&mut self, mut each: impl FnMut(K, V)) -> Result<(), SensorError> {
        let mut walk = Walk::default();
        while self.next_batch(&mut walk, &mut each)? {}
        Ok(())
    }

    /// Calls `each` for the next batch of elements; whether there may be more.
    pub(super) fn next_batch(
        &mut self,
        walk: &mut Walk<K, V>,
        mut each: impl FnMut(K, V),
    ) -> Result<bool, SensorError> {
        if self.batch {
            match walk.next_batch(self.fd(), false, &mut each) {
                Ok(more) => return Ok(more),
                Err(error) if error.raw_os_error() == Some(libc::EINVAL) => self.batch = false,
                Err(error) => return Err(self.failed(error)),
            }
        }
        // An element that vanished meanwhile is reported elsewhere.
        for (key, value) in self.map.iter().flatten() {
            each(key.0, value.0);
        }
        Ok(false)
    }

    /// One element.
    pub(super) fn get(&self, key: &K) -> Option<V> {
        self.map.get(&Plain(*key), 0).ok().map(|value| value.0)
    }

    /// Removes one element and returns it.
    pub(super) fn take(&mut self, key: &K) -> Result<Option<V>, SensorError> {
        if self.take {
            match sys::take::<K, V>(self.fd(), key) {
                Ok(value) => return Ok(value),
                Err(error) if error.raw_os_error() == Some(libc::EINVAL) => self.take = false,
                Err(error) if error.raw_os_error() == Some(524) => self.take = false,
                Err(error) => return Err(self.failed(error)),
            }
        }
        let Ok(value) = self.map.get(&Plain(*key), 0) else { return Ok(None) };
        let _ = self.map.remove(&Plain(*key));
        Ok(Some(value.0))
    }

    /// Removes one element, if it is there.
    pub(super) fn remove(&mut self, key: &K) {
        // The kernel refuses it for one that is gone.
        let _ = self.map.remove(&Plain(*key));
    }

    /// Removes some elements and returns them; whether there may be more.
    pub(super) fn take_batch(&mut self, mut each: impl FnMut(K, V)) -> Result<bool, SensorError> {
        if self.batch {
            match Walk::default().next_batch(self.fd(), true, &mut each) {
                Ok(more) => return Ok(more),
                Err(error) if error.raw_os_error() == Some(libc::EINVAL) => self.batch = false,
                Err(error) => return Err(self.failed(error)),
            }
        }
        let keys: Vec<K> = self.map.keys().filter_map(Result::ok).map(|key| key.0).collect();
        for key in keys {
            if let Some(value) = self.take(&key)? {
                each(key, value);
            }
        }
        Ok(false)
    }
}

/// Position of a walk over all open flows.
#[derive(Default)]
pub(super) struct OpenFlows {
    flows: Walk<u64, Flow>,
    peers: Walk<PeerKey, Flow>,
    /// The sockets' first flows have all been shown.
    at_peers: bool,
}

/// All tables that the agent reads.
pub(super) struct Tables {
    pub(super) flows: Table<u64, Flow>,
    pub(super) peers: Table<PeerKey, Flow>,
    pub(super) owners: Table<u64, SocketOwner>,
    pub(super) pending: Table<Tuple, Pending>,
    pub(super) late: Table<Tuple, Late>,
    pub(super) spill: Table<u64, Flow>,
    pub(super) counts: PerCpuArray<MapData, u64>,
    pub(super) recovered: PerCpuArray<MapData, u64>,
}

impl Tables {
    /// Shows the next batch of open flows; whether there may be more.
    pub(super) fn open_flows(
        &mut self,
        walk: &mut OpenFlows,
        each: &mut dyn FnMut(Flow),
    ) -> Result<bool, SensorError> {
        if walk.at_peers {
            return self.peers.next_batch(&mut walk.peers, |_, flow| each(flow));
        }
        walk.at_peers = !self.flows.next_batch(&mut walk.flows, |_, flow| each(flow))?;
        Ok(true)
    }

    /// Sum over all CPUs of one counter.
    pub(super) fn count(&self, counter: Counter) -> u64 {
        self.counts.get(&(counter as u32), 0).map_or(0, |values| values.iter().sum())
    }

    /// Number of events that copies of a program handled because the first was not run; 0 if the copies do
    /// not keep such records.
    pub(super) fn recovered(&self, program: &str) -> u64 {
        let Some((_, hook)) = COPIED_HOOKS.iter().find(|(name, _)| *name == program) else {
            return 0;
        };
        let first = SUBSTITUTES * *hook as u32;
        let values =
            (first..first + SUBSTITUTES).filter_map(|index| self.recovered.get(&index, 0).ok());
        // What one CPU has taken back may have been noted on another.
        let sum = values.flat_map(|values| values.to_vec()).fold(0, u64::wrapping_add);
        // Or is being noted only now.
        let sum = if sum > u64::MAX / 2 { 0 } else { sum };
        if *hook == CopiedHook::State { sum + self.skipped_beginnings() } else { sum }
    }

    /// How often at least all copies were skipped for the beginning of a connection from a listener, which tells
    /// nothing before it is established. Some may not come to that.
    fn skipped_beginnings(&self) -> u64 {
        let [begun, established] = [BEGUN, ESTABLISHED].map(|index| {
            self.recovered.get(&index, 0).map_or(0, |values| values.iter().sum::<u64>())
        });
        established.saturating_sub(begun)
    }
}
