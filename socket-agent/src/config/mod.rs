//! Settings, from YAML with Auditbeat's keys.
//!
//! A file goes through four steps, each a folder or file here:
//! 1. [`tree`]: YAML to nodes that know their line and column; dotted keys become nested ones.
//! 2. [`overrides`]: `-E key=value` changes the tree.
//! 3. [`schema`]: one table row per option: key, type, range, default, meaning.
//! 4. [`read`]: the tree is read by the tables into the types of [`settings`].
//!
//! Nothing stops at the first mistake: [`load`] returns every problem of a file at once, each with
//! its place, and a configuration only if there is none.

mod duration;
mod expand;
mod load;
mod overrides;
mod place;
mod read;
mod schema;
mod settings;
mod suggest;
mod tree;

#[cfg(test)]
mod tests;

pub use duration::parse as parse_duration;
pub use load::{DEFAULT_FILE, Loaded, Sources, load};
pub use overrides::Override;
pub use place::{ConfigError, Place, Problem};
pub use schema::{Described, options};
pub use settings::{Config, Metrics, OutputTarget};
