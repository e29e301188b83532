//! Where something was written, and what is wrong with it.

use std::{fmt, sync::Arc};

/// Where a key or value was written: a line of a file, or an argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    source: Arc<str>,
    line_and_column: Option<(usize, usize)>,
}

/// A message about a configuration, an error or a warning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Location of the problem.
    pub location: Location,
    /// One line: what is wrong, what is allowed.
    pub message: String,
}

/// Everything that is wrong with a configuration; prints one line per problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// At least one, in the order of the file; those of arguments last.
    pub problems: Vec<Problem>,
}

// === impl Location ===

impl Location {
    /// A whole file, or an argument as it was typed.
    pub fn whole(source: impl Into<Arc<str>>) -> Self {
        Self { source: source.into(), line_and_column: None }
    }

    /// A position in the same file; line and column count from 1.
    pub fn at(&self, line: usize, column: usize) -> Self {
        Self { source: Arc::clone(&self.source), line_and_column: Some((line, column)) }
    }

    /// What it is in: the file, or the argument.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Line and column, both from 1; `None` for a whole file and for an argument.
    pub fn line_and_column(&self) -> Option<(usize, usize)> {
        self.line_and_column
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line_and_column {
            Some((line, column)) => write!(f, "{}:{line}:{column}", self.source),
            None => f.write_str(&self.source),
        }
    }
}

// === impl Problem ===

impl Problem {
    /// A problem at a location.
    pub fn new(location: &Location, message: impl Into<String>) -> Self {
        Self { location: location.clone(), message: message.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.location, self.message)
    }
}

// === impl ConfigError ===

impl ConfigError {
    /// All problems of a configuration, which are sorted by their places.
    pub fn new(mut problems: Vec<Problem>) -> Self {
        sort(&mut problems);
        Self { problems }
    }
}

/// Puts problems into the order in which a reader meets them: file by file, arguments last.
pub fn sort(problems: &mut [Problem]) {
    let mut files: Vec<Arc<str>> = Vec::new();
    for location in problems.iter().map(|problem| &problem.location) {
        if location.line_and_column.is_some() && !files.contains(&location.source) {
            files.push(Arc::clone(&location.source));
        }
    }
    problems.sort_by_key(|Problem { location, .. }| match location.line_and_column {
        Some(at) => (files.iter().position(|file| *file == location.source).unwrap_or(0), at),
        None => (usize::MAX, (0, 0)),
    });
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}
