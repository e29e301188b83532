//! Skips: reasons for which a machine cannot run a scenario.

use std::{error::Error, fmt};

/// A reason not to run a scenario, as an error that ends it.
#[derive(Debug)]
pub struct Skip(String);

impl fmt::Display for Skip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for Skip {}

/// Ends a test that cannot be made on this machine, and says why: for a `Result` whose error is the
/// reason.
#[macro_export]
macro_rules! or_skip {
    ($result:expr) => {
        match $result {
            Ok(value) => value,
            Err(reason) => {
                println!("skipped: {reason}");
                return;
            }
        }
    };
}

/// Ends a scenario because the machine cannot do what it needs.
pub fn skip(reason: impl Into<String>) -> anyhow::Error {
    Skip(reason.into()).into()
}
