//! What is wrong with a rule file, and where.

use std::{fmt, sync::Arc};

/// A position in a rule file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// The file, as the user named it.
    pub source: Arc<str>,
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
}

/// Severity of a problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The line cannot be used.
    Error,
    /// The line can be used, but may not do what was meant.
    Warning,
}

/// A message about a rule file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Location of the problem.
    pub location: Location,
    /// Severity of the problem.
    pub severity: Severity,
    /// One line: what is wrong, and what to write instead.
    pub message: String,
}

/// Something and where it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located<T> {
    /// Location of the value.
    pub location: Location,
    /// The value.
    pub value: T,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.source, self.line, self.column)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.severity {
            Severity::Error => write!(f, "{}: {}", self.location, self.message),
            Severity::Warning => write!(f, "{}: warning: {}", self.location, self.message),
        }
    }
}
