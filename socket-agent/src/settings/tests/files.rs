//! Several files, folders, and files that a file names.

use audit::AuditConfig;
use std::{fs, path::Path};

use super::{super::load::load_from, lines, module_with};
use crate::settings::{Loaded, Sources};
use config::{ConfigError, Override};
use sensor::{HookSet, SocketConfig};

/// Loads files of `folder`, with `-E` arguments and `${DIR}` for the folder.
fn load(folder: &Path, names: &[&str], arguments: &[&str]) -> Result<Loaded, ConfigError> {
    let sources = Sources {
        files: names.iter().map(Into::into).collect(),
        folder: Some(folder.to_owned()),
        overrides: arguments.iter().map(|argument| Override::from_argument(argument)).collect(),
    };
    let environment = |name: &str| (name == "DIR").then(|| folder.display().to_string());
    load_from(&sources, Path::new("/nonexistent/agent.yml"), &environment)
}

fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// What is said of a configuration that must be wrong, without the folder in front of names.
#[track_caller]
fn said(folder: &Path, loaded: Result<Loaded, ConfigError>) -> String {
    loaded.unwrap_err().to_string().replace(&format!("{}/", folder.display()), "")
}

fn rules(loaded: &Loaded) -> usize {
    loaded.config.options::<AuditConfig>().unwrap().rules.as_ref().unwrap().commands.len()
}

#[test]
fn rule_files_of_the_folders() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for name in
        ["etc/r.d/1.conf", "home/r.d/1.conf", "home/data/r.d/1.conf", "home/logs/r.d/1.conf"]
    {
        write(folder, name, &format!("-w /etc/hosts -p wa -k {name}\n"));
    }
    let module =
        |pattern: &str| format!("modules:\n- {{module: auditd, audit_rule_files: '{pattern}'}}\n");
    let all = "['${path.config}/r.d/*.conf','${path.home}/r.d/*.conf',\
               '${path.data}/r.d/*.conf','${path.logs}/r.d/*.conf']";
    write(folder, "etc/plain.yml", &module("${path.config}/r.d/*.conf"));
    assert_eq!(rules(&load(folder, &["etc/plain.yml"], &[]).unwrap()), 1);
    // Relative names start there as well.
    write(folder, "etc/relative.yml", &module("r.d/*.conf"));
    assert_eq!(rules(&load(folder, &["etc/relative.yml"], &[]).unwrap()), 1);
    let text = format!(
        "path: {{home: '${{DIR}}/home', config: '${{DIR}}/etc'}}\n{}",
        module("x").replace("'x'", all)
    );
    write(folder, "all.yml", &text);
    let loaded = load(folder, &["all.yml"], &[]).unwrap();
    assert_eq!((rules(&loaded), lines(&loaded.warnings)), (4, String::new()));
    // As in Beats, the home is where the configuration is if it is given alone.
    let home = format!("path.home={}/home", folder.display());
    let loaded = load(folder, &["etc/plain.yml"], &[&home]).unwrap();
    assert_eq!(rules(&loaded), 1);
    let config = format!("path.config={}", folder.display());
    let said = said(folder, load(folder, &["etc/plain.yml"], &[&config]));
    assert!(said.starts_with("etc/plain.yml:2:38: r.d/*.conf: no such file, and"), "{said}");
}

#[test]
fn later_files_change_what_earlier_ones_say() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write(
        folder,
        "base.yml",
        "auditbeat.modules:\n- {module: system, datasets: [socket], socket.hooks: cgroup, socket.tables.flows: 5}\n",
    );
    write(folder, "20.yml", "modules:\n- {socket: {hooks: '${hooks}'}}\n");
    write(folder, "30.yml", "hooks: fentry\noutput.file.path: /x\n");
    let loaded = load(folder, &["base.yml", "*0.yml"], &[]).unwrap();
    let socket = loaded.config.options::<SocketConfig>().unwrap();
    assert_eq!((socket.hooks, socket.tables.flows), (HookSet::Fentry, 5));
    let names: Vec<_> = loaded.files.iter().map(|path| path.file_name().unwrap()).collect();
    assert_eq!(names, ["base.yml", "20.yml", "30.yml"]);
    // -E comes last.
    let loaded = load(folder, &["base.yml", "*0.yml"], &["socket.hooks=kprobe"]).unwrap();
    assert_eq!(loaded.config.options::<SocketConfig>().unwrap().hooks, HookSet::Kprobe);

    // A mistake is told where it is, with rules at their lines.
    write(folder, "40.yml", "modules:\n-\n- module: auditd\n  audit_rules: |\n    -w etc\n");
    assert_eq!(
        said(folder, load(folder, &["base.yml", "40.yml", "30.yml"], &["socket.hooks=no"]))
            .lines()
            .map(|line| line.split_once(": ").unwrap().0.to_owned())
            .collect::<Vec<_>>(),
        ["40.yml:5:8", "-E socket.hooks=no"]
    );
    assert_eq!(
        said(folder, load(folder, &["none*.yml", "base.yml"], &[])),
        "none*.yml: no such file; name a readable file with -c"
    );
    write(folder, "other.yml", "modules:\n- module: auditd\n");
    let wrong = said(folder, load(folder, &["base.yml", "other.yml"], &[]));
    assert!(
        wrong.starts_with(
            "other.yml:2:11: module \"auditd\" would be laid upon module \"system\" at \
             base.yml:2:12, as lists are merged item by item"
        ),
        "{wrong}"
    );
    write(folder, "bad.yml", "a: [\n");
    write(folder, "worse.yml", "- a\n");
    let said = said(folder, load(folder, &["bad.yml", "worse.yml"], &[]));
    assert!(said.starts_with("bad.yml:2:1: not valid YAML: "), "{said}");
}

#[test]
fn modules_of_further_files() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write(folder, "m.d/10.yml", "- module: auditd\n  audit_rules: |\n    -w /etc/hosts -p wa\n");
    write(
        folder,
        "m.d/20.yml",
        "- module: system\n  datasets: [socket]\n  socket.tables.flows: 7\n",
    );
    write(folder, "m.d/30.yml", "# nothing\n");
    write(folder, "m.d/40.yml.disabled", "nonsense");
    let file = "auditbeat.config.modules:\n  path: ${path.config}/m.d/*.yml\n  \
                reload.enabled: false\n  reload.period: 10s\n";
    write(folder, "agent.yml", file);
    let loaded = load(folder, &["agent.yml"], &[]).unwrap();
    assert_eq!(rules(&loaded), 1);
    assert_eq!(loaded.config.options::<SocketConfig>().unwrap().tables.flows, 7);
    assert_eq!(lines(&loaded.warnings), "");
    assert_eq!(loaded.files.len(), 4);
    assert_eq!(loaded.summary.to_string(), "8 settings in effect");

    // They come after the modules of the file itself, and -E is for them as well.
    write(
        folder,
        "both.yml",
        &format!(
            "{file}auditbeat.modules:\n- {{module: system, datasets: [socket], enabled: false}}\n"
        ),
    );
    let arguments = &["socket.hooks=kprobe", "modules.0.id=x"];
    let loaded = load(folder, &["both.yml"], arguments).unwrap();
    let socket = loaded.config.options::<SocketConfig>().unwrap();
    assert_eq!((socket.hooks, socket.tables.flows), (HookSet::Kprobe, 7));
    assert!(load(folder, &["agent.yml"], &["socket.hooks=kprobe"]).is_ok());
    let arguments = &["auditbeat.config.modules.path=m.d/10.yml", "socket.hooks=kprobe"];
    assert_eq!(
        said(folder, load(folder, &["agent.yml"], arguments)),
        "-E socket.hooks=kprobe: no module has the dataset socket to set this for; add one to the \
         file"
    );
    let loaded = load(folder, &["agent.yml"], &["auditbeat.config.modules.reload.enabled=true"]);
    assert!(loaded.unwrap().config.reload.enabled);
}

#[test]
fn mistakes_in_further_files() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write(
        folder,
        "m.d/10.yml",
        "- module: system\n  datasets: [socket]\n  socket.tables.flows: 0\n",
    );
    write(folder, "m.d/20.yml", "module: system\n");
    write(folder, "m.d/30.yml", "- module: auditd\n  audit_rules: |\n    -w etc\n");
    write(folder, "agent.yml", "auditbeat.config.modules.path: m.d/*.yml\n");
    assert_eq!(
        said(folder, load(folder, &["agent.yml"], &[])),
        "m.d/20.yml:1:1: the file is a mapping; allowed: a list of modules, as in - module: system\n\
         m.d/10.yml:3:24: socket.tables.flows is 0; allowed: a whole number from 1 to 16777216\n\
         m.d/30.yml:3:8: `etc` is not an absolute path: begin it with /"
    );
    for (argument, expected) in [
        (
            "auditbeat.config.modules.path=none/*.yml",
            "agent.yml:1:1: no enabled module has a dataset of this version (0 files of \
             auditbeat.config.modules.path: none/*.yml were read); write modules: [{module: \
             system, datasets: [socket]}], or module: auditd",
        ),
        (
            "auditbeat.config.modules.enabled=false",
            "agent.yml:1:1: no enabled module has a dataset of this version (the files of \
             m.d/*.yml are not read: auditbeat.config.modules.enabled); write modules: [{module: \
             system, datasets: [socket]}], or module: auditd",
        ),
        (
            "auditbeat.config.modules.path=none.yml",
            "none.yml: cannot be read: No such file or directory (os error 2); make it readable, or \
             change auditbeat.config.modules.path",
        ),
    ] {
        assert_eq!(said(folder, load(folder, &["agent.yml"], &[argument])), expected);
    }
    // Beside other modules it is a warning.
    write(folder, "main.yml", &format!("auditbeat.config.modules.path: no/*\n{}", module_with("")));
    let loaded = load(folder, &["main.yml"], &[]).unwrap();
    let warnings = lines(&loaded.warnings).replace(&format!("{}/", folder.display()), "");
    assert_eq!(warnings, "main.yml:1:32: no/*: no such file; there are no modules from it");
}
