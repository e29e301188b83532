//! What a dataset is: options, needs and a function that observes.

use std::{any::Any, fmt, path::Path, sync::Arc};

use config::{
    location::Location,
    rows::{Allowed, Described, Group, Known, Reader, Setting, describe, describe_known},
    tree::{Entry, Node},
};

use crate::services::Context;
use sensor::SocketConfig;

/// The module that a dataset belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Module {
    /// One of several datasets of a module of this name; keys of its options begin with its own name.
    Shared(&'static str),
    /// The only one of a module that bears its name; options are keys of the module.
    Own {
        /// Another name of the module.
        also: &'static str,
    },
}

/// What a dataset needs of the services that all share.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Needs {
    /// Flows and sockets: the sensor with all of its hooks, and these settings.
    pub(crate) flows: Option<Box<SocketConfig>>,
    /// The process table, fed with what the kernel reports.
    pub(crate) processes: bool,
}

/// A dataset.
pub(crate) trait Dataset: Sized + 'static {
    /// Options of the dataset.
    type Options: Clone + Default + PartialEq + fmt::Debug + Send + Sync + 'static;

    /// Name in a configuration and in the log.
    const NAME: &'static str;
    /// Module under which the dataset is configured.
    const MODULE: Module;
    /// Options whose values are checked.
    const ROWS: &'static [Setting<Self::Options>];
    /// Options that are known by name; [`read`](Self::read) reads those that work.
    const KNOWN: &'static [Known] = &[];
    /// Its module in the sample configuration; `None` to have it made of the rows.
    const SAMPLE: Option<&'static str> = None;

    /// Reads `entries`, those of the module that are about this dataset; `None` after a problem that leaves
    /// nothing to run.
    fn read(
        reader: &mut ModuleReader<'_, '_>,
        _module: &Node,
        entries: &[Entry],
    ) -> Option<Self::Options> {
        let mut options = Self::Options::default();
        reader.table::<Self>(entries, &mut options);
        Some(options)
    }

    /// What it needs to run with these options.
    fn needs(options: &Self::Options) -> Needs;

    /// Observes until it is told to stop, then reports what is left.
    ///
    /// # Errors
    /// It cannot start, or go on.
    fn run(options: &Self::Options, context: Context<Self::Options>) -> anyhow::Result<()>;

    /// The settings that differ and that a running dataset cannot take over, by key; with none it is given
    /// the new options, else it is started anew.
    fn needs_restart(before: &Self::Options, after: &Self::Options) -> Vec<&'static str> {
        if before == after { Vec::new() } else { vec![Self::NAME] }
    }
}

/// Text of a file with the place that stands for it.
pub(crate) type Source = (Location, String);

/// Reader of a module and its context.
pub(crate) struct ModuleReader<'r, 'a> {
    /// Values, and what is found.
    pub(crate) reader: &'r mut Reader<'a>,
    /// The files that the tree is from.
    pub(crate) sources: &'r [Source],
    /// Where relative names of other files start.
    pub(crate) folder: &'r Path,
    /// Whether a part that is configured and cannot run ends the start.
    pub(crate) strict: bool,
    /// Keys of every module.
    pub(crate) common: Group,
}

/// Type of [`Dataset::read`] once the options have no type.
type Read = fn(&mut ModuleReader<'_, '_>, &Node, &[Entry]) -> Option<Arc<dyn Options>>;

/// A line in the list of datasets: a [`Dataset`] whose type is forgotten.
pub(crate) struct Registration {
    pub(crate) name: &'static str,
    pub(crate) module: Module,
    pub(crate) known: Group,
    sample: Option<&'static str>,
    rows: fn() -> Vec<Described>,
    default: fn() -> Arc<dyn Options>,
    read: Read,
}

/// Options of some dataset.
trait Options: fmt::Debug + Send + Sync {
    fn as_any(&self) -> &dyn Any;
    fn is_same(&self, other: &dyn Options) -> bool;
    fn needs(&self) -> Needs;
    fn needs_restart(&self, after: &dyn Options) -> Vec<&'static str>;
    fn run(&self, context: Context<Configured>) -> anyhow::Result<()>;
}

/// Options of `D`.
struct OptionsOf<D: Dataset>(D::Options);

/// A dataset that is to run, with its options.
#[derive(Clone)]
pub struct Configured {
    registration: &'static Registration,
    options: Arc<dyn Options>,
}

// === impl ModuleReader ===

impl ModuleReader<'_, '_> {
    /// Reads entries of a module by the rows of a dataset.
    pub(crate) fn table<D: Dataset>(&mut self, entries: &[Entry], options: &mut D::Options) {
        let known = [self.common, Group { prefix: "", rows: D::KNOWN }];
        let allowed = Allowed { settings: D::ROWS, known: &known, elsewhere: &[] };
        self.reader.table(&allowed, "", entries, options);
    }
}

// === impl Registration ===

impl Registration {
    pub(crate) const fn of<D: Dataset>() -> Self {
        Self {
            name: D::NAME,
            module: D::MODULE,
            known: Group { prefix: "", rows: D::KNOWN },
            sample: D::SAMPLE,
            rows: || describe(D::ROWS),
            default: || Arc::new(OptionsOf::<D>(D::Options::default())),
            read: |reader, module, entries| {
                let options = D::read(reader, module, entries)?;
                Some(Arc::new(OptionsOf::<D>(options)))
            },
        }
    }

    /// The dataset with the options that it has where none is given.
    pub(crate) fn with_defaults(&'static self) -> Configured {
        Configured { registration: self, options: (self.default)() }
    }

    /// Reads its options.
    pub(crate) fn read(
        &'static self,
        reader: &mut ModuleReader<'_, '_>,
        module: &Node,
        entries: &[Entry],
    ) -> Option<Configured> {
        let options = (self.read)(reader, module, entries)?;
        Some(Configured { registration: self, options })
    }

    /// Options whose values are checked.
    pub(crate) fn rows(&self) -> Vec<Described> {
        (self.rows)()
    }

    /// All of its options.
    pub(crate) fn described(&self) -> Vec<Described> {
        let mut options = self.rows();
        options.extend(describe_known(&self.known));
        options
    }

    /// Whether a key is one of the dataset's options, or a prefix of them.
    pub(crate) fn owns(&self, key: &str) -> bool {
        self.described().iter().any(|option| option.key.split('.').next() == Some(key))
    }

    /// Its module in the sample configuration.
    pub(crate) fn sample(&self) -> String {
        if let Some(sample) = self.sample {
            return sample.to_owned();
        }
        let mut text = match self.module {
            Module::Shared(module) => {
                format!("  - module: {module}\n    datasets:\n      - {}\n", self.name)
            }
            Module::Own { .. } => format!("  - module: {}\n", self.name),
        };
        text += "    enabled: false\n";
        for Described { key, default, doc, .. } in self.rows() {
            let mark = if default.is_empty() { "#" } else { "" };
            text += &format!("\n    # {doc}\n    {mark}{key}: {default}\n");
        }
        text
    }
}

impl fmt::Debug for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registration").field("name", &self.name).finish_non_exhaustive()
    }
}

// === impl OptionsOf ===

impl<D: Dataset> fmt::Debug for OptionsOf<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<D: Dataset> Options for OptionsOf<D> {
    fn as_any(&self) -> &dyn Any {
        &self.0
    }

    fn is_same(&self, other: &dyn Options) -> bool {
        other.as_any().downcast_ref::<D::Options>() == Some(&self.0)
    }

    fn needs(&self) -> Needs {
        D::needs(&self.0)
    }

    fn needs_restart(&self, after: &dyn Options) -> Vec<&'static str> {
        let after = after.as_any().downcast_ref::<D::Options>();
        after.map_or_else(|| vec!["dataset"], |after| D::needs_restart(&self.0, after))
    }

    fn run(&self, context: Context<Configured>) -> anyhow::Result<()> {
        D::run(&self.0, context.map(|configured| configured.options::<D::Options>().cloned()))
    }
}

// === impl Configured ===

impl Configured {
    pub(crate) fn name(&self) -> &'static str {
        self.registration.name
    }

    /// The options, if they are of this type.
    pub(crate) fn options<T: 'static>(&self) -> Option<&T> {
        self.options.as_any().downcast_ref()
    }

    pub(crate) fn needs(&self) -> Needs {
        self.options.needs()
    }

    /// Options that need a restart: [`Dataset::needs_restart`].
    pub(crate) fn needs_restart(&self, after: &Self) -> Vec<&'static str> {
        self.options.needs_restart(&*after.options)
    }

    /// Runs the dataset: [`Dataset::run`].
    pub(crate) fn run(&self, context: Context<Self>) -> anyhow::Result<()> {
        self.options.run(context)
    }
}

impl PartialEq for Configured {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name() && self.options.is_same(&*other.options)
    }
}

impl Eq for Configured {}

impl fmt::Debug for Configured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple(self.name()).field(&self.options).finish()
    }
}

// === impl Needs ===

impl Needs {
    /// Needs of both datasets.
    pub(crate) fn and(self, other: Self) -> Self {
        Self { flows: self.flows.or(other.flows), processes: self.processes || other.processes }
    }
}
