//! Options of an output, and outputs that are configured.

use std::{any::Any, fmt, io, path::PathBuf, sync::Arc};

use config::rows::{Group, Setting};
use pipeline::Output;

/// Options of one output. The default is what applies where nothing is set.
pub trait OutputOptions: Clone + fmt::Debug + Default + PartialEq + Send + Sync + 'static {
    /// The name below `output.`
    const NAME: &'static str;

    /// A row for each option, with its whole key; `output.NAME.enabled` among them.
    fn rows() -> &'static [Setting<Self>];

    /// Options that are known by name.
    fn known() -> &'static [Group] {
        &[]
    }

    /// Options of Beats that would not be followed, below the output's name, each with what there is in their place:
    /// one that is set is an error.
    fn refused() -> &'static [(&'static str, &'static str)] {
        &[]
    }

    /// Checks what a row alone cannot.
    ///
    /// # Errors
    ///
    /// The options contradict each other.
    fn check(&self) -> Result<(), Wrong> {
        Ok(())
    }

    /// Opens the output.
    ///
    /// # Errors
    ///
    /// It cannot be used, and waiting would not help.
    fn open(&self) -> Result<Box<dyn Output>, OpenError>;

    /// Tries the output without sending documents; what was found, a line each.
    ///
    /// # Errors
    ///
    /// It cannot be used at present.
    fn probe(&self) -> Result<Vec<String>, OpenError>;
}

/// A text that is not to be shown.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(String);

/// An option whose value does not fit the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// The key below the output's.
    pub key: &'static str,
    /// Reason and remedy.
    pub reason: String,
}

/// Why an output cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A file or a directory cannot be used.
    #[error("cannot write to {}: {source}; {remedy}", path.display())]
    File {
        /// Path of the file.
        path: PathBuf,
        /// Error of the kernel.
        source: io::Error,
        /// Remedy.
        remedy: &'static str,
    },
    /// Standard output cannot be used.
    #[error("cannot use standard output: {0}")]
    Console(io::Error),
    /// Any other reason, with its remedy.
    #[error("{0}")]
    Other(String),
}

/// An output with its options.
#[derive(Clone)]
pub struct Configured {
    name: &'static str,
    options: Arc<dyn AnyOptions>,
}

/// [`OutputOptions`] of any output.
trait AnyOptions: fmt::Debug + Send + Sync {
    fn open(&self) -> Result<Box<dyn Output>, OpenError>;
    fn probe(&self) -> Result<Vec<String>, OpenError>;
    fn is(&self, other: &dyn Any) -> bool;
    fn as_any(&self) -> &dyn Any;
}

impl<T: OutputOptions> AnyOptions for T {
    fn open(&self) -> Result<Box<dyn Output>, OpenError> {
        OutputOptions::open(self)
    }

    fn probe(&self) -> Result<Vec<String>, OpenError> {
        OutputOptions::probe(self)
    }

    fn is(&self, other: &dyn Any) -> bool {
        other.downcast_ref::<T>() == Some(self)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

// === impl Secret ===

impl Secret {
    pub(crate) fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The text itself.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

// === impl Configured ===

impl Configured {
    /// An output with these options.
    pub fn new<T: OutputOptions>(options: T) -> Self {
        Self { name: T::NAME, options: Arc::new(options) }
    }

    /// The name below `output.`
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Opens it.
    ///
    /// # Errors
    ///
    /// It cannot be used, and waiting would not help.
    pub fn open(&self) -> Result<Box<dyn Output>, OpenError> {
        self.options.open()
    }

    /// Tries it without sending documents; what was found, a line each.
    ///
    /// # Errors
    ///
    /// It cannot be used at present.
    pub fn probe(&self) -> Result<Vec<String>, OpenError> {
        self.options.probe()
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
