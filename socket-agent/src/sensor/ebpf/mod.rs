//! The eBPF sensor: loads the object, attaches one hook set, reads its tables and its ring.

mod attach;
mod buffer;
mod dns;
mod features;
mod load;
mod ring;
mod sample;
mod sensor;
mod sets;
mod sys;
mod tables;

pub use dns::DnsRing;
pub use load::OBJECT;
pub use sensor::{Options, Sensor};
pub use sets::{Hook, Program, hooks};
