//! Options of Auditbeat that are known by name. One that begins to do something moves from here to a
//! table of settings, or becomes `handled` where it is read without one.

mod general;
mod modules;
mod outputs;
mod setup;

pub(in crate::settings) use general::{GENERAL_KNOWN, INSTRUMENTATION, LOG_FILES, QUEUE};
pub(in crate::settings) use modules::{
    FILE_INTEGRITY, MODULE_KEYS, OTHER_MODULES, SYSTEM_DATASETS, SYSTEM_KNOWN,
};
pub(in crate::settings) use outputs::{MONITORING, OTHER_OUTPUTS};
pub(in crate::settings) use setup::{KIBANA, SETUP};
