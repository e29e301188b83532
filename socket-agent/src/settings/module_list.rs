//! The list of modules as a whole: from several files, and from further ones.

use std::path::{Path, PathBuf};

use super::{
    load::Host,
    read::{MODULES, Source, module_files},
    schema::MODULE_FILES,
};
use config::{
    files,
    location::Problem,
    paths::Folders,
    rows::{Findings, Reader},
    tree::{Entry, Node, Value, nest, parse},
    values::Values,
};

/// Number of modules in a tree.
pub(super) fn count(root: &Node) -> usize {
    match root.get(MODULES) {
        Some(Entry { node: Node { value: Value::List(modules), .. }, .. }) => modules.len(),
        _ => 0,
    }
}

/// Modules of two files that would become one, of which half the settings mean nothing.
pub(super) fn compare(below: &Node, above: &Node, problems: &mut Vec<Problem>) {
    for number in 0..count(above) {
        let kind = format!("{MODULES}.{number}.module");
        let (Some(below), Some(above)) = (below.find(&kind), above.find(&kind)) else { continue };
        if !below.is_same(above) {
            let (what, old, at) = (above.describe(), below.describe(), &below.at);
            let reason = format!(
                "module {what} would be laid upon module {old} at {at}, as lists are merged item by \
                 item; put them into one file, or into files of auditbeat.config.modules.path"
            );
            problems.push(Problem::new(&above.at, reason));
        }
    }
}

/// Appends the modules of the files that `auditbeat.config.modules` names, and returns these.
pub(super) fn add(
    root: &mut Node,
    folders: &Folders,
    host: Host<'_>,
    sources: &mut Vec<Source>,
    findings: &mut Findings,
) -> Vec<PathBuf> {
    // What is found in these few keys will be found again with all others.
    let values = Values::new(root, &folders.known, host.environment);
    let wanted = module_files(&mut Reader::new(values, Findings::default()), root);
    let Some(pattern) = wanted.path.filter(|_| wanted.enabled) else { return Vec::new() };
    let at = root.find(MODULE_FILES).and_then(|node| node.get("path"));
    let at = at.map_or_else(|| root.at.clone(), |entry| entry.node.at.clone());
    let files = match files::find(Path::new(&pattern), folders.config()) {
        Ok(files) => files,
        Err(reason) => {
            findings.problems.push(Problem::new(&at, format!("{pattern}: {reason}")));
            return Vec::new();
        }
    };
    if files.is_empty() {
        let pattern = folders.config().join(pattern);
        let reason = format!("{}: no such file; there are no modules from it", pattern.display());
        findings.warnings.push(Problem::new(&at, reason));
    }
    for path in &files {
        let location = files::location(path);
        match files::read(path, "make it readable, or change auditbeat.config.modules.path") {
            Ok(text) => {
                let modules = parse(&text, &location, &mut findings.problems);
                sources.push((location, text));
                if let Some(modules) = modules {
                    add_modules(root, nest(modules, &mut findings.problems), findings);
                }
            }
            Err(problem) => findings.problems.push(problem),
        }
    }
    files
}

/// Appends a list of modules to those of the tree.
fn add_modules(root: &mut Node, file: Node, findings: &mut Findings) {
    let more = match file.value {
        Value::List(more) => more,
        Value::Null => return,
        Value::Scalar(_) | Value::Map(_) => {
            let found = file.describe();
            let reason =
                format!("the file is {found}; allowed: a list of modules, as in - module: system");
            return findings.problems.push(Problem::new(&file.at, reason));
        }
    };
    let Value::Map(entries) = &mut root.value else { return };
    match entries.iter_mut().find(|entry| entry.key == MODULES).map(|entry| &mut entry.node) {
        Some(Node { value: Value::List(modules), .. }) => modules.extend(more),
        Some(node) if matches!(node.value, Value::Null) => node.value = Value::List(more),
        // Told when the tree is read.
        Some(_) => {}
        None => {
            let node = Node::new(file.at.clone(), Value::List(more));
            entries.push(Entry::new(MODULES, file.at, node));
        }
    }
}
