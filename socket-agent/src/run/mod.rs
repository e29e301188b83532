//! The agent at work: starts the datasets, waits until it is told to stop, and lets each report what
//! is left.
//!
//! Every dataset has a thread of its own, so that none waits for another; they share the output, the
//! services and what describes this host ([`Shared`]). Which there are says
//! [`datasets::DATASETS`](crate::datasets).

mod group;
pub mod metrics;
mod reload;
mod reports;
mod supervisor;

use std::time::Duration;

use anyhow::Context as _;
use config::ConfigError;
use pipeline::{Closed, Output};

use self::supervisor::Supervisor;
use crate::{
    services::share_heap,
    settings::{Config, Loaded},
};

/// What the command line says beside the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunOptions {
    /// Stop after this long; `None` means to run until a signal.
    pub duration: Option<Duration>,
    /// Where documents go: `--output-file`, else what the configuration says.
    pub outputs: Vec<outputs::Configured>,
}

/// Reads the configuration anew.
pub type Reread<'a> = &'a dyn Fn() -> Result<Loaded, ConfigError>;

/// Runs the datasets until the time is up or a signal comes. On SIGHUP the configuration is read again, and
/// regularly if it says so.
///
/// # Errors
///
/// No dataset can start, one of them fails while it runs, or the output cannot be written.
pub fn run(config: &Config, options: &RunOptions, reread: Reread<'_>) -> anyhow::Result<()> {
    share_heap();
    // Opened first: a mistake in its name must not cost a start of the sensor.
    let outputs: Vec<Box<dyn Output>> =
        options.outputs.iter().map(outputs::Configured::open).collect::<Result<_, _>>()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the event loop")?;
    let result = runtime.block_on(async {
        // Within the event loop, and before anything is attached: signals are caught from here on.
        Supervisor::new(config, outputs, reread)?.run(options.duration).await
    });
    result.map_err(|error| {
        if error.is::<Closed>() {
            anyhow::anyhow!(
                "no output takes documents any more, so that the agent ends; the log says why; start its \
                 reader anew, or configure an output that stays, such as output.file"
            )
        } else {
            error
        }
    })
}
