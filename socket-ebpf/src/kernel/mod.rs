//! Kernel memory, read through offsets that the loader fills in from the kernel's BTF.

pub mod conntrack;
pub mod mptcp;
pub mod packet;
pub mod sock;
pub mod task;

use core::{ffi::c_void, mem::MaybeUninit};

use aya_ebpf::helpers::generated::bpf_probe_read_kernel;

/// Offsets of the fields in `relocations.txt`.
#[allow(clippy::missing_safety_doc)]
pub mod core_offsets {
    include!(concat!(env!("OUT_DIR"), "/core.rs"));
}

/// Reads a `T` at a kernel address; zeroes where the address cannot be read.
#[inline(always)]
pub fn read<T: Copy>(address: usize) -> T {
    let mut value = MaybeUninit::<T>::uninit();
    // SAFETY: the helper writes exactly `size_of::<T>()` bytes, zeroes on failure. `T` is always an
    // integer or an array of them, for which every bit pattern is valid.
    unsafe {
        let _ = bpf_probe_read_kernel(
            value.as_mut_ptr().cast::<c_void>(),
            size_of::<T>() as u32,
            address as *const c_void,
        );
        value.assume_init()
    }
}

/// Reads the field at `offset` of the object at `base`; zeroes where the field does not exist.
#[inline(always)]
pub fn field<T: Copy + Default>(base: usize, offset: Option<usize>) -> T {
    match offset {
        Some(offset) if base != 0 => read(base + offset),
        _ => T::default(),
    }
}

/// The address in a typed pointer as a plain number.
///
/// The verifier knows context and socket pointers as such and restricts arithmetic on them and
/// their use in map keys; a number that went through memory has no such history.
#[inline(always)]
pub fn address<T>(pointer: *const T) -> usize {
    let slot = pointer;
    read(&raw const slot as usize)
}

/// Copies a shared type word by word. An assignment would become a call of memmove, which is a loop. What is copied
/// need not be in memory: the compiler may put it together in registers.
#[inline(always)]
pub fn copy<T>(to: *mut T, from: *const T) {
    let mut at = 0;
    while at < size_of::<T>() / 8 {
        // SAFETY: both are valid, 8-byte aligned and a multiple of 8 bytes long: the shared types
        // are. Written volatile, so that the compiler does not make it a memmove again.
        unsafe {
            let word = from.cast::<u64>().add(at).read();
            to.cast::<u64>().add(at).write_volatile(word);
        }
        at += 1;
    }
}

/// Zeroes that the compiler keeps where they are, not what is written there beside that in registers and on the rest
/// of a small stack. Programs for newer kernels have stack to spare.
#[cfg(feature = "perf")]
#[inline(always)]
pub fn zeroed<T>(place: &mut MaybeUninit<T>) -> &mut T {
    zero(place.as_mut_ptr());
    // SAFETY: zeroes are valid for the shared types.
    core::hint::black_box(unsafe { place.assume_init_mut() })
}

/// Zeroes a shared type, or a part of one, in place. An assignment may become a call of memset, which is a
/// loop.
#[inline(always)]
pub fn zero<T>(place: *mut T) {
    let width = if align_of::<T>() == 8 { 8 } else { 4 };
    let mut at = 0;
    while at < size_of::<T>() / width {
        // SAFETY: valid, as aligned as that and a multiple of it long: the shared types are. Volatile, so that
        // the compiler does not make it a memset again.
        unsafe {
            if width == 8 {
                place.cast::<u64>().add(at).write_volatile(0);
            } else {
                place.cast::<u32>().add(at).write_volatile(0);
            }
        }
        at += 1;
    }
}

/// Nanoseconds of the boottime clock.
#[cfg(not(feature = "perf"))]
#[inline(always)]
pub fn now() -> u64 {
    // SAFETY: no preconditions.
    unsafe { aya_ebpf::helpers::generated::bpf_ktime_get_boot_ns() }
}

/// Nanoseconds of the boottime clock, made of the monotonic clock's, as kernels before 5.8 give no other.
#[cfg(feature = "perf")]
#[inline(always)]
pub fn now() -> u64 {
    let ahead = crate::maps::settings().map_or(0, |settings| settings.boottime_ahead);
    // SAFETY: no preconditions.
    unsafe { aya_ebpf::helpers::generated::bpf_ktime_get_ns() }.wrapping_add(ahead)
}
