//! Settings, from YAML with Auditbeat's keys.
//!
//! Files go through these steps:
//! 1. [`files`] finds them, [`tree`] turns YAML into nodes that know their line and column, with
//!    dotted keys nested, and lays later files upon earlier ones.
//! 2. [`overrides`]: `-E key=value` changes the tree; [`paths`] finds the folders of `path.*`, and
//!    [`module_list`] appends the modules of further files.
//! 3. [`values`] says what `${NAME}` stands for: another setting, or an environment variable.
//! 4. [`rows`]: how a mapping is read by tables, one row per option: key, type, range, default,
//!    meaning, and what this version does with it. [`schema`] holds the tables of this agent.
//! 5. [`read`] takes the tree to the types of [`settings`].
//!
//! [`schema`], [`read`], [`settings`], [`module_list`] and [`load`] know this agent; the rest knows
//! no option.
//!
//! Nothing stops at the first mistake: [`load`] returns every problem of a file at once, each with
//! its place, and a configuration only if there is none.

mod duration;
mod expand;
mod files;
mod load;
mod module_list;
mod overrides;
mod paths;
mod place;
mod read;
mod rows;
mod schema;
mod settings;
mod suggest;
mod summary;
mod tree;
mod values;

#[cfg(test)]
mod tests;

pub use duration::parse as parse_duration;
pub use load::{DEFAULT_FILE, Loaded, Sources, load};
pub use overrides::Override;
pub use place::{ConfigError, Place, Problem};
pub use rows::Effect;
pub use schema::{Described, STRICT, Section, options, sections};
pub use settings::{Config, Metrics, OutputTarget};
pub use summary::Summary;
