//! The eBPF sensor: loads the object, attaches one hook set, reads its tables and its ring.

mod attach;
pub(in crate::sensor) mod btf;
mod buffer;
mod dns;
mod error;
mod features;
mod load;
mod ring;
mod sample;
mod sensor;
mod sets;
mod sys;
mod tables;

pub use attach::Degraded;
pub use dns::DnsRing;
pub use error::SensorError;
pub use load::OBJECT;
pub use sensor::{Options, Sensor};
pub use sets::{Hook, Program, hooks};
