//! Settings from YAML, with Auditbeat's way of writing them.
//!
//! 1. [`files`] finds the files, [`tree`] turns YAML into nodes that know their line and column, with
//!    dotted keys nested, and lays later files upon earlier ones.
//! 2. [`overrides`]: `-E key=value` changes the tree; [`paths`] finds the folders of `path.*`.
//! 3. [`values`] says what `${NAME}` stands for: another setting, or an environment variable.
//! 4. [`rows`]: how a mapping is read by tables, one row per option: key, type, range, default, meaning,
//!    and what this version does with it.
//!
//! Nothing here knows an option or a dataset: the tables come from whoever has the options. Nothing stops at
//! the first mistake: every [`Problem`] has its [`Location`].

#![forbid(unsafe_code)]

pub mod duration;
pub mod expand;
pub mod files;
pub mod location;
pub mod overrides;
pub mod paths;
pub mod rows;
pub mod suggest;
pub mod tree;
pub mod values;

pub use duration::parse as parse_duration;
pub use location::{ConfigError, Location, Problem};
pub use overrides::Override;
pub use rows::Effect;
