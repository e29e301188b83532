//! Options of a processor, and processors that are configured.

use std::{any::Any, fmt, sync::Arc};

use config::rows::Setting;
use pipeline::Processor;

/// Options of one processor. The default is what applies where nothing is set.
pub trait ProcessorOptions: fmt::Debug + Default + PartialEq + Send + Sync + 'static {
    /// The name in the list of processors.
    const NAME: &'static str;

    /// A row for each option, with its key behind `NAME.`
    fn rows() -> &'static [Setting<Self>];

    /// Checks what a row alone cannot.
    ///
    /// # Errors
    ///
    /// The options contradict each other.
    fn check(&self) -> Result<(), Wrong> {
        Ok(())
    }

    /// The processor.
    fn build(&self) -> Box<dyn Processor>;
}

/// An option that is missing or does not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// The key below the processor's.
    pub key: &'static str,
    /// Reason and remedy.
    pub reason: String,
}

/// A processor with its options.
#[derive(Clone)]
pub struct Configured {
    name: &'static str,
    options: Arc<dyn AnyOptions>,
}

/// [`ProcessorOptions`] of any processor.
trait AnyOptions: fmt::Debug + Send + Sync {
    fn build(&self) -> Box<dyn Processor>;
    fn is(&self, other: &dyn Any) -> bool;
    fn as_any(&self) -> &dyn Any;
}

impl<T: ProcessorOptions> AnyOptions for T {
    fn build(&self) -> Box<dyn Processor> {
        ProcessorOptions::build(self)
    }

    fn is(&self, other: &dyn Any) -> bool {
        other.downcast_ref::<T>() == Some(self)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

// === impl Configured ===

impl Configured {
    /// A processor with these options.
    pub fn new<T: ProcessorOptions>(options: T) -> Self {
        Self { name: T::NAME, options: Arc::new(options) }
    }

    /// The name in the list of processors.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// A processor for one dataset.
    pub fn build(&self) -> Box<dyn Processor> {
        self.options.build()
    }
}

impl PartialEq for Configured {
    fn eq(&self, other: &Self) -> bool {
        self.options.is(other.options.as_any())
    }
}

impl Eq for Configured {}

impl fmt::Debug for Configured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.options.fmt(f)
    }
}
