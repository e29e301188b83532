//! Finding, reading and checking a configuration.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::{
    module_list,
    read::{AgentReader, Source, routes, take_modules},
    summary::Summary,
    types::Config,
};
use crate::datasets;
use config::{
    files,
    location::{ConfigError, Location, Problem, sort},
    overrides::Override,
    paths::{Defaults, Folders, folder_of},
    rows::{Findings, Reader},
    tree::{Node, merge, nest, parse},
    values::{Environment, Values},
};

/// Read where no file is named, if it exists.
pub const DEFAULT_FILE: &str = "/etc/socket-agent/socket-agent.yml";

/// What applies where there is no file at all.
const BUILT_IN: &str = "modules: [{module: system, datasets: [socket]}]";

/// Sources of a configuration.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// Files named by the user, later ones laid upon earlier ones; a name may be a pattern. Without
    /// any it is [`DEFAULT_FILE`], or the built-in defaults.
    pub files: Vec<PathBuf>,
    /// Where relative names of these files start; `None` for the working directory.
    pub folder: Option<PathBuf>,
    /// Changes to them, in the order in which they apply.
    pub overrides: Vec<Override>,
}

/// A configuration without faults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// The settings.
    pub config: Config,
    /// What the user should know: what is not used by this version, keys that nobody knows.
    pub warnings: Vec<Problem>,
    /// Summary of the settings.
    pub summary: Summary,
    /// The files that were read, those with modules of their own last; empty for the built-in
    /// defaults.
    pub files: Vec<PathBuf>,
}

/// Host that a configuration is read for.
#[derive(Clone, Copy)]
pub(super) struct Host<'a> {
    pub(super) environment: Environment<'a>,
    /// Default folders.
    pub(super) folders: Defaults<'a>,
}

// === impl Loaded ===

impl Loaded {
    /// Logs which files were read and what became of the settings.
    pub(crate) fn log(&self) {
        for file in &self.files {
            log::info!(target: "config", "read {}", file.display());
        }
        for warning in &self.warnings {
            log::warn!(target: "config", "{warning}");
        }
        for remark in &self.summary.without_meaning {
            log::info!(target: "config", "{remark}");
        }
        log::info!(target: "config", "{}", self.summary);
    }
}

// === impl Sources ===

impl Sources {
    /// The file that is read where none is named: [`DEFAULT_FILE`], or one of that name in the
    /// folder that is given.
    pub fn default_file(&self) -> PathBuf {
        self.default_in(Path::new(DEFAULT_FILE))
    }

    fn default_in(&self, default_file: &Path) -> PathBuf {
        match (&self.folder, default_file.file_name()) {
            (Some(folder), Some(name)) => folder.join(name),
            _ => default_file.to_owned(),
        }
    }
}

/// Reads and checks a configuration. Touches nothing but files and the environment.
///
/// # Errors
/// All faults of the files and of the overrides, at once.
pub fn load(sources: &Sources) -> Result<Loaded, ConfigError> {
    let environment =
        |name: &str| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned());
    load_from(sources, Path::new(DEFAULT_FILE), &environment)
}

pub(super) fn load_from(
    sources: &Sources,
    default_file: &Path,
    environment: Environment<'_>,
) -> Result<Loaded, ConfigError> {
    let paths = main_files(sources, default_file)?;
    let mut texts = Vec::new();
    let mut problems = Vec::new();
    for path in &paths {
        match files::read(path, "name a readable file with -c") {
            Ok(text) => texts.push((files::location(path), text)),
            Err(problem) => problems.push(problem),
        }
    }
    if !problems.is_empty() {
        return Err(ConfigError::new(problems));
    }
    let built_in = texts.is_empty();
    if built_in {
        texts.push((Location::whole("built-in defaults"), BUILT_IN.to_owned()));
    }
    // Where Auditbeat's files look for others that belong to them.
    let config = folder_of(paths.first().map_or(default_file, PathBuf::as_path));
    let program = std::env::current_exe().map(|program| folder_of(&program));
    let home = program.unwrap_or_else(|_| PathBuf::from("/"));
    let folders = Defaults { home: &home, config: &config };
    let mut loaded = check(texts, &sources.overrides, Host { environment, folders })?;
    loaded.files.splice(0..0, paths);
    Ok(loaded)
}

/// The files of the user, or the default one if it exists.
fn main_files(sources: &Sources, default_file: &Path) -> Result<Vec<PathBuf>, ConfigError> {
    let folder = sources.folder.as_deref().unwrap_or(Path::new(""));
    if sources.files.is_empty() {
        let file = sources.default_in(default_file);
        let there = match fs::metadata(&file) {
            Err(error) => error.kind() != io::ErrorKind::NotFound,
            Ok(_) => true,
        };
        return Ok(if there { vec![file] } else { Vec::new() });
    }
    let mut paths = Vec::new();
    let mut problems = Vec::new();
    for name in &sources.files {
        let reason = match files::find(name, folder) {
            Ok(found) if found.is_empty() => "no such file; name a readable file with -c".into(),
            Ok(found) => {
                paths.extend(found);
                continue;
            }
            Err(reason) => reason,
        };
        problems.push(Problem::new(&files::location(&folder.join(name)), reason));
    }
    if problems.is_empty() { Ok(paths) } else { Err(ConfigError::new(problems)) }
}

/// Checks the texts of files, later ones laid upon earlier ones.
pub(super) fn check(
    mut sources: Vec<Source>,
    overrides: &[Override],
    host: Host<'_>,
) -> Result<Loaded, ConfigError> {
    let mut findings = Findings::default();
    let Some(mut root) = main_tree(&sources, &mut findings.problems) else {
        return Err(ConfigError::new(findings.problems));
    };
    let mut leads: Vec<bool> = overrides
        .iter()
        .map(|change| {
            change.apply(&mut root, &|root, key| routes(root, key, 0), &mut findings.problems)
        })
        .collect();
    let folders = Folders::read(&root, host.folders, host.environment, &mut findings.problems);

    let first = module_list::count(&root);
    let files = module_list::add(&mut root, &folders, host, &mut sources, &mut findings);
    for (change, leads) in overrides.iter().zip(&mut leads) {
        let added = |root: &Node, key: &[&str]| match key {
            [of, ..] if datasets::named(of).is_some() => routes(root, key, first),
            _ => Vec::new(),
        };
        // What is wrong with it has been told.
        *leads |= change.apply(&mut root, &added, &mut Vec::new());
        if !*leads {
            let reason = format!(
                "no module has the dataset {} to set this for; add one to the file",
                change.first()
            );
            findings.problems.push(Problem::new(change.location(), reason));
        }
    }

    let values = Values::new(&root, &folders.known, host.environment);
    let mut agent = AgentReader {
        reader: Reader::new(values, findings),
        sources: &sources,
        folder: folders.config(),
        module_files: files.len(),
        strict: true,
    };
    let config = agent.root(&root);
    let Findings { problems, mut warnings, in_effect, notes } = agent.reader.findings;
    if !problems.is_empty() {
        return Err(ConfigError::new(problems));
    }
    let summary = Summary::new(in_effect.len(), notes, &mut warnings);
    sort(&mut warnings);
    Ok(Loaded { config, warnings, summary, files })
}

/// One tree of all files.
fn main_tree(sources: &[Source], problems: &mut Vec<Problem>) -> Option<Node> {
    let mut root: Option<Node> = None;
    let mut whole = true;
    for (location, text) in sources {
        let Some(tree) = parse(text, location, problems) else {
            whole = false;
            continue;
        };
        let mut tree = nest(tree, problems);
        take_modules(&mut tree, problems);
        match &mut root {
            None => root = Some(tree),
            Some(root) => {
                module_list::compare(root, &tree, problems);
                merge(root, tree);
            }
        }
    }
    root.filter(|_| whole)
}
