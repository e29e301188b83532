//! `path.*`: folders that other settings refer to, as in `${path.config}/audit.rules.d/*.conf`.

use std::path::{self, Path, PathBuf};

use super::{
    location::Problem,
    tree::{Node, Value},
    values::{Environment, Values},
};

/// Folders where nothing else is said.
#[derive(Clone, Copy, Debug)]
pub struct Defaults<'a> {
    /// `path.home`.
    pub home: &'a Path,
    /// `path.config` where `path.home` is not given either: the folder of the configuration file.
    pub config: &'a Path,
}

/// The folders, absolute, as settings by their names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folders {
    /// Pairs of setting and folder, as `path.config`.
    pub known: Vec<(&'static str, String)>,
}

/// The keys; the values of later ones may refer to earlier ones.
const HOME: &str = "path.home";
const CONFIG: &str = "path.config";
const DATA: &str = "path.data";
const LOGS: &str = "path.logs";

impl Folders {
    /// Takes the folders from the tree; those that are not given follow from others as in Beats,
    /// except that `path.config` is the folder of the configuration file if no home is given.
    pub fn read(
        root: &Node,
        defaults: Defaults<'_>,
        environment: Environment<'_>,
        problems: &mut Vec<Problem>,
    ) -> Self {
        let mut folders = Self { known: Vec::new() };
        let home = folders.add(root, HOME, environment, problems);
        let home_path = home.clone().unwrap_or_else(|| absolute(defaults.home));
        folders.known.push((HOME, home_path.clone()));
        let config = home.unwrap_or_else(|| absolute(defaults.config));
        for (key, default) in [
            (CONFIG, config),
            (DATA, format!("{home_path}/data")),
            (LOGS, format!("{home_path}/logs")),
        ] {
            let value = folders.add(root, key, environment, problems).unwrap_or(default);
            folders.known.push((key, value));
        }
        folders
    }

    /// `path.config`: what relative names of other files start from.
    pub fn config(&self) -> &Path {
        let found = self.known.iter().find(|(key, _)| *key == CONFIG);
        found.map_or(Path::new(""), |(_, value)| Path::new(value))
    }

    /// The folder that is given for a key; a relative one starts from where the agent is started.
    fn add(
        &self,
        root: &Node,
        key: &'static str,
        environment: Environment<'_>,
        problems: &mut Vec<Problem>,
    ) -> Option<String> {
        let node = root.find(key)?;
        let problem = |reason: String| Problem::new(&node.at, reason);
        match &node.value {
            Value::Null => None,
            Value::Scalar(text) => match Values::new(root, &self.known, environment).text(text) {
                Ok(text) if text.is_empty() => None,
                Ok(text) => Some(absolute(Path::new(&text))),
                Err(reason) => {
                    problems.push(problem(format!("{key}: {reason}")));
                    None
                }
            },
            Value::List(_) | Value::Map(_) => {
                problems.push(problem(format!("{key} is {}; allowed: a folder", node.describe())));
                None
            }
        }
    }
}

/// Folder of a file, absolute.
pub fn folder_of(file: &Path) -> PathBuf {
    match file.parent() {
        Some(folder) if folder != Path::new("") => PathBuf::from(absolute(folder)),
        _ => PathBuf::from(absolute(Path::new("."))),
    }
}

/// A path from `/` on; as it is if the working directory cannot be known.
fn absolute(path: &Path) -> String {
    let path = path::absolute(path).unwrap_or_else(|_| path.to_owned());
    path.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        location::Location,
        tree::{nest, parse},
    };

    fn read(text: &str) -> (Vec<String>, String) {
        let mut problems = Vec::new();
        let tree = parse(text, &Location::whole("t"), &mut problems).unwrap();
        let tree = nest(tree, &mut problems);
        let defaults = Defaults { home: Path::new("/usr/bin"), config: Path::new("/etc/agent") };
        let environment = |name: &str| (name == "DIR").then(|| "/var/dir".to_owned());
        let folders = Folders::read(&tree, defaults, &environment, &mut problems);
        let said = problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("\n");
        (folders.known.into_iter().map(|(_, value)| value).collect(), said)
    }

    #[test]
    fn folders_follow_from_one_another() {
        for (text, expected) in [
            ("", ["/usr/bin", "/etc/agent", "/usr/bin/data", "/usr/bin/logs"]),
            ("path.home: /srv", ["/srv", "/srv", "/srv/data", "/srv/logs"]),
            (
                "path: {config: '${path.home}/conf', data: '${DIR}', logs: '${path.data}/l'}",
                ["/usr/bin", "/usr/bin/conf", "/var/dir", "/var/dir/l"],
            ),
            (
                "path.home: ${base}/h\nbase: /b\npath.config:\n",
                ["/b/h", "/b/h", "/b/h/data", "/b/h/logs"],
            ),
        ] {
            let (folders, problems) = read(text);
            assert_eq!(folders, expected, "{text}");
            assert_eq!(problems, "", "{text}");
        }
    }

    #[test]
    fn relative_folders_start_where_the_agent_does() {
        let here = std::env::current_dir().unwrap();
        let (folders, _) = read("path.config: conf/./x\n");
        assert_eq!(Path::new(&folders[1]), here.join("conf/x"));
        assert_eq!(folder_of(Path::new("agent.yml")), here);
        assert_eq!(folder_of(Path::new("etc/agent.yml")), here.join("etc"));
        assert_eq!(folder_of(Path::new("/agent.yml")), Path::new("/"));
    }

    #[test]
    fn what_is_no_folder() {
        let (_, said) = read("path: {home: [a], data: '${NO}'}\n");
        assert_eq!(
            said,
            "t:1:14: path.home is a list; allowed: a folder\n\
             t:1:25: path.data: environment variable NO is not set; set it or write ${NO:default}"
        );
    }
}
