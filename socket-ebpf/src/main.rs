//! The eBPF programs of the sensor: one object, several hook sets.
//!
//! [`flow`] is the core: it takes facts about sockets (opened, accepted, transferred, closed) and
//! keeps the tables. [`dns`] hands over what
//! DNS servers are asked and say. [`hooks`] turns the arguments of kernel functions, tracepoints and cgroup
//! programs into those facts, one thin file per hook set. [`kernel`] reads kernel memory through
//! relocated offsets. [`process`] reports exec, fork and exit. [`outlet`]
//! is where records leave: a ring buffer or, built with the feature `perf`, the rings of perf events.
//!
//! Only the programs of the chosen set are loaded. All code of this crate is inlined; there is no
//! global data, which kernels before 5.2 do not know, but with the feature `log` ([`log`]). A few copies and clearings are calls of the
//! run-time library, with loops that kernels before 5.3 would refuse.
#![no_std]
#![no_main]
#![cfg_attr(feature = "perf", allow(dead_code))] // what hooks of newer kernels use

#[cfg(not(feature = "perf"))]
mod dns;
mod flow;
mod hooks;
mod kernel;
mod log;
mod maps;
mod outlet;
mod process;

#[cfg(not(test))]
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo) -> ! {
    // SAFETY: nothing in this object panics; the verifier would refuse a program that reached this.
    unsafe { core::hint::unreachable_unchecked() }
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
