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
use pipeline::{
    Closed, Output,
    output::{Console, File},
};

use self::supervisor::Supervisor;
use crate::{
    services::share_heap,
    settings::{Config, Loaded, OutputTarget},
};

/// What the command line says beside the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunOptions {
    /// Stop after this long; `None` means to run until a signal.
    pub duration: Option<Duration>,
    /// Where documents go: `--output-file`, else what the configuration says.
    pub output: OutputTarget,
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
    let output: Box<dyn Output> = match &options.output {
        OutputTarget::Stdout => Box::new(Console::stdout().context("cannot use standard output")?),
        OutputTarget::File(path) => Box::new(File::open(path)?),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the event loop")?;
    let result = runtime.block_on(async {
        // Within the event loop, and before anything is attached: signals are caught from here on.
        Supervisor::new(config, output, reread)?.run(options.duration).await
    });
    match result {
        // The output has logged why; nothing is wrong, there is just nobody left to write to.
        Err(error) if error.is::<Closed>() => Ok(()),
        other => other,
    }
}
