//! What is printed, and how a failure ends the command.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use config::ConfigError;

/// Writes to standard output.
///
/// # Errors
/// The write fails; a closed pipe is told from the rest by [`failure`].
pub(super) fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Tells what went wrong, a line for each fault, and returns the status to exit with.
///
/// Whoever has closed the pipe that is written to does not want to read about it: that ends the
/// command quietly.
pub(super) fn failure(error: &anyhow::Error) -> ExitCode {
    if is_closed_pipe(error) {
        return ExitCode::SUCCESS;
    }
    // Nothing can be done if standard error is closed as well.
    let _ = io::stderr().write_all(lines(error).as_bytes());
    ExitCode::FAILURE
}

fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause
            .downcast_ref::<io::Error>()
            .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
    })
}

fn lines(error: &anyhow::Error) -> String {
    let line = |text: &str| {
        let words: Vec<&str> =
            text.lines().map(str::trim).filter(|part| !part.is_empty()).collect();
        format!("error: {}\n", words.join(" "))
    };
    match error.downcast_ref::<ConfigError>() {
        Some(ConfigError { problems }) => {
            problems.iter().map(|problem| line(&problem.to_string())).collect()
        }
        None => line(&format!("{error:#}")),
    }
}

#[cfg(test)]
mod tests {
    use anyhow::{Context, anyhow};

    use super::*;

    #[test]
    fn one_line_each() {
        let error = anyhow!("first\n  second\n\nthird").context("loading x");
        assert_eq!(lines(&error), "error: loading x: first second third\n");
    }

    #[test]
    fn closed_pipes_are_quiet() {
        let closed = Err::<(), _>(io::Error::from(io::ErrorKind::BrokenPipe));
        assert!(is_closed_pipe(&closed.context("writing a document").unwrap_err()));
        let full = Err::<(), _>(io::Error::from(io::ErrorKind::StorageFull));
        assert!(!is_closed_pipe(&full.context("writing a document").unwrap_err()));
    }
}
