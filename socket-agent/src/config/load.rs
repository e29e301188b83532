//! Finding, reading and checking a configuration.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::{
    expand::Environment,
    overrides::Override,
    place::{ConfigError, Place, Problem, sort},
    read::{MODULES, Reader},
    settings::Config,
    tree::{Entry, Node, Value, nest, parse},
};

/// Read where no file is named, if it exists.
pub const DEFAULT_FILE: &str = "/etc/socket-agent/socket-agent.yml";

/// What applies where there is no file at all.
const BUILT_IN: &str = "modules: [{module: system, datasets: [socket]}]";

/// What a configuration is made of.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The file named by the user; `None` for [`DEFAULT_FILE`] or the built-in defaults.
    pub file: Option<PathBuf>,
    /// Changes to it, in the order in which they apply.
    pub overrides: Vec<Override>,
}

/// A configuration without faults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// The settings.
    pub config: Config,
    /// What the user should be told: known keys that have no effect yet.
    pub warnings: Vec<Problem>,
    /// The file that was read; `None` for the built-in defaults.
    pub file: Option<PathBuf>,
}

/// Reads and checks a configuration. Touches nothing but the file and the environment.
///
/// # Errors
/// All faults of the file and of the overrides, at once.
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
    let path = sources.file.as_deref().unwrap_or(default_file);
    let (text, file) = match fs::read(path) {
        Ok(bytes) => (text(bytes, path)?, Some(path.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound && sources.file.is_none() => {
            (BUILT_IN.to_owned(), None)
        }
        Err(error) => {
            let reason = format!("cannot be read: {error}; name a readable file with -c");
            return Err(ConfigError::new(vec![Problem::new(&place(path), reason)]));
        }
    };
    let source = file.as_deref().map_or_else(|| Place::whole("built-in defaults"), place);
    // Where Auditbeat's files look for others that belong to them.
    let folder = path.parent().unwrap_or(Path::new(""));
    let environment = |name: &str| match name {
        "path.config" if file.is_some() => Some(folder.to_string_lossy().into_owned()),
        _ => environment(name),
    };
    let (config, warnings) = check(&text, &source, folder, &sources.overrides, &environment)?;
    Ok(Loaded { config, warnings, file })
}

/// Checks the text of a configuration file. Other files that it names are looked for from `folder`.
pub(super) fn check(
    text: &str,
    source: &Place,
    folder: &Path,
    overrides: &[Override],
    environment: Environment<'_>,
) -> Result<(Config, Vec<Problem>), ConfigError> {
    let mut problems = Vec::new();
    let Some(root) = parse(text, source, &mut problems) else {
        return Err(ConfigError::new(problems));
    };
    let mut root = nest(root, &mut problems);
    find_modules(&mut root, &mut problems);
    for change in overrides {
        change.apply(&mut root, &mut problems);
    }
    let mut reader = Reader::new(environment, text, folder);
    reader.problems = problems;
    let config = reader.root(&root);
    let Reader { problems, mut warnings, .. } = reader;
    if problems.is_empty() {
        sort(&mut warnings);
        Ok((config, warnings))
    } else {
        Err(ConfigError::new(problems))
    }
}

/// Moves `auditbeat.modules` to `modules`.
fn find_modules(root: &mut Node, problems: &mut Vec<Problem>) {
    let Value::Map(entries) = &mut root.value else { return };
    let auditbeat = entries.iter_mut().find(|entry| entry.key == "auditbeat");
    let Some(found) = auditbeat.and_then(|entry| entry.node.remove(MODULES)) else { return };
    if let Some(own) = entries.iter().find(|entry| entry.key == MODULES) {
        let at = &own.at;
        let reason = format!("auditbeat.modules means the same as modules at {at}; keep one");
        problems.push(Problem::new(&found.at, reason));
    } else {
        entries.push(Entry { key: MODULES.to_owned(), ..found });
    }
}

fn text(bytes: Vec<u8>, path: &Path) -> Result<String, ConfigError> {
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let before = &error.as_bytes()[..valid];
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
        let column = 1 + before.iter().rev().take_while(|byte| **byte != b'\n').count();
        let reason = "not valid UTF-8; save the file in that encoding";
        ConfigError::new(vec![Problem::new(&place(path).at(line, column), reason)])
    })
}

fn place(path: &Path) -> Place {
    Place::whole(path.display().to_string())
}
