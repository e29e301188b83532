//! Whole-system scenarios.

pub mod schema;
