//! Outputs: the destinations of documents.
//!
//! An output is a module with its options, each a row of a table, a function that opens it, and a line in
//! [`OUTPUTS`].

#![forbid(unsafe_code)]

mod codec;
mod console;
mod discard;
mod file;
mod format;
mod lines;
mod options;
mod redis;
mod registration;

pub use console::Console;
pub use file::{File, plain_file};
pub use options::{Configured, OpenError, OutputOptions, Wrong};
pub use registration::Registration;

/// All outputs, in the order of the documentation.
#[rustfmt::skip]
pub static OUTPUTS: &[Registration] = &[
    Registration::of::<console::Options>(),
    Registration::of::<file::Options>(),
    Registration::of::<discard::Options>(),
    Registration::of::<redis::Options>(),
];

/// The output of this name.
pub fn named(name: &str) -> Option<&'static Registration> {
    OUTPUTS.iter().find(|output| output.name == name)
}

#[cfg(test)]
mod tests;
