//! The few operations of bpf(2) that aya has no interface for: reads of many elements.

use std::{
    io,
    os::fd::{AsRawFd, BorrowedFd},
};

use zerocopy::{FromBytes, Immutable, IntoBytes};

const BPF_MAP_UPDATE_ELEM: libc::c_long = 2;
const BPF_PROG_TEST_RUN: libc::c_long = 10;
const BPF_OBJ_GET_INFO_BY_FD: libc::c_long = 15;
const BPF_MAP_LOOKUP_AND_DELETE_ELEM: libc::c_long = 21;
const BPF_MAP_LOOKUP_BATCH: libc::c_long = 24;
const BPF_MAP_LOOKUP_AND_DELETE_BATCH: libc::c_long = 25;

/// `union bpf_attr`, batch operations (`include/uapi/linux/bpf.h`).
#[repr(C)]
#[derive(Default)]
struct Batch {
    in_batch: u64,
    out_batch: u64,
    keys: u64,
    values: u64,
    count: u32,
    map_fd: u32,
    elem_flags: u64,
    flags: u64,
}

/// `union bpf_attr`, element operations.
#[repr(C)]
#[derive(Default)]
struct ElementAttributes {
    map_fd: u32,
    reserved: u32,
    key: u64,
    value: u64,
    flags: u64,
}

fn bpf<T>(command: libc::c_long, attributes: &mut T) -> io::Result<()> {
    // SAFETY: the structures above are laid out as the kernel expects them for these commands, and
    // the pointers in them are valid for the call.
    let result =
        unsafe { libc::syscall(libc::SYS_bpf, command, attributes as *mut T, size_of::<T>()) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// A key or a value of a map: no padding that the kernel would read, and valid whatever the kernel
/// writes there.
pub(super) trait Element: FromBytes + IntoBytes + Immutable + Copy + 'static {}

impl<T: FromBytes + IntoBytes + Immutable + Copy + 'static> Element for T {}

/// Elements asked for in one call.
const BATCH: usize = 1024;

/// A walk over all elements of a hash map (5.6), in batches of some hundred.
///
/// Elements may be removed between two batches; each of the others is shown once.
pub(super) struct Walk<K, V> {
    keys: Vec<K>,
    values: Vec<V>,
    /// Where the next batch begins; `None` before the first.
    cursor: Option<[u8; 16]>,
}

impl<K, V> Default for Walk<K, V> {
    fn default() -> Self {
        Self { keys: Vec::new(), values: Vec::new(), cursor: None }
    }
}

impl<K: Element + Default, V: Element + Default> Walk<K, V> {
    /// Calls `each` for the elements of the next batch, and removes them if `take`; whether there may
    /// be more.
    ///
    /// `K` and `V` must be as long as the map's keys and values.
    pub(super) fn next_batch(
        &mut self,
        map: BorrowedFd<'_>,
        take: bool,
        mut each: impl FnMut(K, V),
    ) -> io::Result<bool> {
        if self.keys.is_empty() {
            self.set_capacity(BATCH);
        }
        loop {
            let mut next = [0u8; 16];
            let mut attributes = Batch {
                in_batch: self.cursor.as_ref().map_or(0, |cursor| cursor.as_ptr() as u64),
                out_batch: next.as_mut_ptr() as u64,
                keys: self.keys.as_mut_ptr() as u64,
                values: self.values.as_mut_ptr() as u64,
                count: self.keys.len() as u32,
                map_fd: map.as_raw_fd() as u32,
                ..Batch::default()
            };
            let command = if take { BPF_MAP_LOOKUP_AND_DELETE_BATCH } else { BPF_MAP_LOOKUP_BATCH };
            let more = match bpf(command, &mut attributes) {
                Ok(()) => true,
                Err(error) if error.raw_os_error() == Some(libc::ENOENT) => false,
                // One bucket holds more than there is room for.
                Err(error)
                    if error.raw_os_error() == Some(libc::ENOSPC) && attributes.count == 0 =>
                {
                    self.set_capacity(self.keys.len() * 2);
                    continue;
                }
                Err(error) => return Err(error),
            };
            let count = (attributes.count as usize).min(self.keys.len());
            for (key, value) in self.keys.iter().zip(&self.values).take(count) {
                each(*key, *value);
            }
            self.cursor = Some(next);
            return Ok(more);
        }
    }

    fn set_capacity(&mut self, capacity: usize) {
        self.keys.resize(capacity, K::default());
        self.values.resize(capacity, V::default());
    }
}

/// Lets programs that run on a CPU write to a perf event of that CPU.
pub(super) fn set_event(map: BorrowedFd<'_>, cpu: u32, event: BorrowedFd<'_>) -> io::Result<()> {
    update(map, &cpu, &event.as_raw_fd())
}

/// Sets one element. `K` and `V` must be as long as the map's keys and values.
pub(super) fn update<K: Element, V: Element>(
    map: BorrowedFd<'_>,
    key: &K,
    value: &V,
) -> io::Result<()> {
    let mut attributes = ElementAttributes {
        map_fd: map.as_raw_fd() as u32,
        key: std::ptr::from_ref(key) as u64,
        value: std::ptr::from_ref(value) as u64,
        ..ElementAttributes::default()
    };
    bpf(BPF_MAP_UPDATE_ELEM, &mut attributes)
}

/// Removes one element and returns it (5.14 for hash maps); `None` if it is not there.
pub(super) fn take<K: Element, V: Element + Default>(
    map: BorrowedFd<'_>,
    key: &K,
) -> io::Result<Option<V>> {
    let mut value = V::default();
    let mut attributes = ElementAttributes {
        map_fd: map.as_raw_fd() as u32,
        key: key as *const K as u64,
        value: &raw mut value as u64,
        ..ElementAttributes::default()
    };
    match bpf(BPF_MAP_LOOKUP_AND_DELETE_ELEM, &mut attributes) {
        Ok(()) => Ok(Some(value)),
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(None),
        Err(error) => Err(error),
    }
}

/// `union bpf_attr`, running a program.
#[repr(C)]
#[derive(Default)]
struct TestRun {
    prog_fd: u32,
    retval: u32,
    data_size_in: u32,
    data_size_out: u32,
    data_in: u64,
    data_out: u64,
    repeat: u32,
    duration: u32,
    ctx_size_in: u32,
    ctx_size_out: u32,
    ctx_in: u64,
    ctx_out: u64,
    flags: u32,
    cpu: u32,
}

/// Runs a raw tracepoint program with these arguments (5.10).
pub(super) fn run(program: BorrowedFd<'_>, arguments: &[u64]) -> io::Result<()> {
    let mut attributes = TestRun {
        prog_fd: program.as_raw_fd() as u32,
        ctx_size_in: size_of_val(arguments) as u32,
        ctx_in: arguments.as_ptr() as u64,
        ..TestRun::default()
    };
    bpf(BPF_PROG_TEST_RUN, &mut attributes)
}

/// `union bpf_attr`, information about an object.
#[repr(C)]
#[derive(Default)]
struct Info {
    fd: u32,
    length: u32,
    info: u64,
}

/// Runs of a program that the kernel skipped because it, or another kprobe program, was already
/// running on that CPU (5.12; 0 before).
pub(super) fn recursion_misses(program: BorrowedFd<'_>) -> io::Result<u64> {
    /// Offset of `recursion_misses` in `struct bpf_prog_info`.
    const AT: usize = 208;
    let mut info = [0u64; 32];
    let mut attributes = Info {
        fd: program.as_raw_fd() as u32,
        length: size_of_val(&info) as u32,
        info: info.as_mut_ptr() as u64,
    };
    bpf(BPF_OBJ_GET_INFO_BY_FD, &mut attributes)?;
    Ok(info[AT / 8])
}
