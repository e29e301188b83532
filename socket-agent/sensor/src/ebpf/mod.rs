//! The eBPF sensor: loads an object, attaches one hook set, reads its tables and its records.

mod attach;
pub mod capacity;
mod dns;
mod existing;
mod features;
mod fit;
mod handshakes;
mod load;
mod missed;
#[cfg(feature = "ebpf-log")]
mod program_log;
mod records;
mod refusal;
mod relocations;
mod sample;
mod sensor;
mod sets;
mod settings;
mod sys;
mod tables;

pub use dns::DnsRing;
pub use fit::fit;
pub use load::{EARLY_OBJECT, OBJECT};
pub use sensor::{Options, Sensor};
pub use sets::{Hook, Program, early, hooks};
