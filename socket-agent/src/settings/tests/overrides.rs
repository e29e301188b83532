//! `-E`.

use std::path::Path;

use super::{allow_inactive, module_with, right, wrong};
use config::Override;
use sensor::{HookSet, SocketConfig};

fn given(arguments: &[&str]) -> Vec<Override> {
    arguments.iter().map(|argument| Override::from_argument(argument)).collect()
}

#[test]
fn values_are_set_and_replaced() {
    let text = module_with("socket.hooks: cgroup");
    for arguments in [
        &["socket.hooks=kprobe"] as &[_],
        &["auditbeat.modules.0.socket.hooks=kprobe"],
        &["modules.0.socket.hooks=kprobe"],
        &["socket.hooks=fentry", "socket.hooks=kprobe"],
        &["socket={hooks: kprobe}"],
        &["modules.0={socket.hooks: kprobe}"],
        &["modules=[{module: system, datasets: [socket], socket.hooks: kprobe}]"],
        &["socket.hooks=${HOOKS}"],
    ] {
        let (config, _) = right(&text, &given(arguments));
        assert_eq!(
            config.options::<SocketConfig>().unwrap().hooks,
            HookSet::Kprobe,
            "{arguments:?}"
        );
    }
    let (config, _) = right(&text, &given(&["socket.tables={flows: 5, peers: 6}"]));
    assert_eq!(
        (
            config.options::<SocketConfig>().unwrap().tables.flows,
            config.options::<SocketConfig>().unwrap().tables.peers
        ),
        (5, 6)
    );
    assert_eq!(config.options::<SocketConfig>().unwrap().hooks, HookSet::Cgroup);
}

#[test]
fn lists_are_replaced_and_extended() {
    let text = "modules:\n- module: system\n  datasets: [host]\n";
    for argument in [
        "modules.0.datasets=[socket]",
        "modules.0.datasets.0=socket",
        "modules.0.datasets.1=socket",
        "modules.1={module: system, datasets: [socket]}",
    ] {
        right(text, &[given(&[argument]), vec![allow_inactive()]].concat());
    }
    let (config, _) = right("", &given(&["modules.0.module=system", "socket.tables.late=7"]));
    assert_eq!(config.options::<SocketConfig>().unwrap().tables.late, 7);
}

#[test]
fn socket_keys_mean_modules_with_that_dataset() {
    let text = "\
modules:
- {module: system, datasets: [host], enabled: false}
- {module: auditd}
- {module: system, datasets: socket}
";
    let (config, _) = right(text, &given(&["socket.hooks=fentry"]));
    assert_eq!(config.options::<SocketConfig>().unwrap().hooks, HookSet::Fentry);
    assert_eq!(
        wrong("modules: [{module: auditd}]", &given(&["socket.hooks=fentry"])),
        "-E socket.hooks=fentry: no module has the dataset socket to set this for; add one to the \
         file"
    );
}

#[test]
fn the_rest_of_the_file_can_be_changed_too() {
    let (config, _) = right(&module_with(""), &given(&["output.file={path: /a, filename: b}"]));
    let said = format!("{:?}", config.outputs);
    assert!(said.contains("path: Some(\"/a\"), filename: \"b\""), "{said}");
    let (_, warnings) = right(&module_with(""), &given(&["tags=[a, b]"]));
    assert_eq!(warnings, "-E tags=[a, b]: tags is not used by this version");
}

#[test]
fn options_stand_for_keys() {
    let options = [
        Override::from_option("--hooks", "socket.hooks", "kprobe"),
        Override::from_option("--btf", "socket.btf", "/a: [b"),
    ];
    let (config, _) = right(&module_with(""), &options);
    assert_eq!(config.options::<SocketConfig>().unwrap().hooks, HookSet::Kprobe);
    assert_eq!(config.options::<SocketConfig>().unwrap().btf.as_deref(), Some(Path::new("/a: [b")));
    assert_eq!(
        wrong(&module_with(""), &[Override::from_option("--hooks", "socket.hooks", "krpobe")]),
        "--hooks krpobe: socket.hooks is \"krpobe\"; allowed: auto, fentry, kprobe, cgroup, tracefs; did you \
         mean kprobe?"
    );
}

#[test]
fn mistakes() {
    for (argument, expected) in [
        (
            "socket.tables.flows=0",
            "-E socket.tables.flows=0: socket.tables.flows is 0; allowed: a whole number from 1 to \
             16777216",
        ),
        (
            "modules.5.socket.hooks=auto",
            "-E modules.5.socket.hooks=auto: \"5\" is no place in a list of 1; allowed: 0 to 1, the \
             last of which adds one",
        ),
        (
            "modules.0.module.x=1",
            "-E modules.0.module.x=1: \"x\" lies below \"system\", not in a mapping or a list",
        ),
        (
            "a..b=1",
            "-E a..b=1: the key \"a..b\" has an empty part; write parts with one dot between",
        ),
        ("tgs=1", "-E tgs=1: unknown key tgs; did you mean tags?"),
    ] {
        assert_eq!(wrong(&module_with(""), &given(&[argument])), expected);
    }
    for (argument, expected) in [
        (
            "socket.hoks=auto",
            "-E socket.hoks=auto: unknown key socket.hoks has no effect; did you mean socket.hooks?",
        ),
        ("nonsense=1", "-E nonsense=1: unknown key nonsense has no effect"),
    ] {
        assert_eq!(right(&module_with(""), &given(&[argument])).1, expected);
    }
    let said = wrong(&module_with(""), &given(&["tags=[a"]));
    assert!(said.starts_with("-E tags=[a: not valid YAML: "), "{said}");
    for argument in ["socket.hooks", "=x", ""] {
        assert_eq!(
            wrong(&module_with(""), &given(&[argument])),
            format!("-E {argument}: not key=value; write for example -E socket.hooks=auto")
        );
    }
}
