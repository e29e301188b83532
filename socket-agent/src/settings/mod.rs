//! The settings of this agent: which options there are, and what a valid configuration holds.
//!
//! [`config`] reads files into a tree; [`schema`] has a row for each option, and [`read`] takes the tree to the
//! types of [`types`].

mod load;
mod module_list;
mod read;
mod schema;
mod summary;
mod types;

#[cfg(test)]
mod tests;

pub use config::rows::Described;
pub use load::{DEFAULT_FILE, Loaded, Sources, load};
pub use schema::{STRICT, Section, options, sample, sections};
pub use summary::Summary;
pub use types::{Config, Reload};

pub use crate::{datasets::Configured, services::Metrics};
