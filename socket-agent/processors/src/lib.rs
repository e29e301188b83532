//! Changes to documents on their way to the outputs.
//!
//! A processor is a file with its options, each a row of a table, a type that changes a document, and a line in
//! [`PROCESSORS`].

#![forbid(unsafe_code)]

mod add_tags;
mod drop_fields;
mod options;
mod registration;

pub use options::{Configured, ProcessorOptions, Wrong};
pub use registration::Registration;

/// All processors, in the order of the documentation.
#[rustfmt::skip]
pub static PROCESSORS: &[Registration] = &[
    Registration::of::<add_tags::Options>(),
    Registration::of::<drop_fields::Options>(),
];

/// The processor of this name.
pub fn named(name: &str) -> Option<&'static Registration> {
    PROCESSORS.iter().find(|processor| processor.name == name)
}

#[cfg(test)]
mod tests;
