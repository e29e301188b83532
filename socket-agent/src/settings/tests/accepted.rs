//! Accepted configurations and their meaning.

use std::{fs, path::Path, time::Duration};

use super::{
    super::load::load_from, Override, allow_inactive, module_with, of_system, right, wrong,
};
use crate::settings::{Config, Loaded, Sources};
use audit::AuditConfig;
use config::{ConfigError, Effect};
use sensor::{HookSet, SocketConfig};

#[test]
fn defaults() {
    assert_eq!(right(&module_with(""), &[]), (Config::default(), String::new()));
    // A value that is left empty is the default.
    assert_eq!(right(&module_with("socket.hooks:"), &[]).0, Config::default());
}

#[test]
fn every_option_in_both_forms() {
    let dotted = "\
modules:
- module: system
  datasets: [socket]
  enabled: true
  socket.hooks: ${HOOKS}
  socket.btf: /boot/btf
  socket.enable_ipv6: no
  socket.flow_inactive_timeout: 1m30s
  socket.flow_termination_timeout: 0
  socket.socket_inactive_timeout: \"${UNSET:250ms}\"
  socket.tables.flows: 1
  socket.tables.peers: 2
  socket.tables.owners: 3
  socket.tables.pending: 4
  socket.tables.late: 5
  socket.tables.spill: 16_777_216
  socket.tables.ring: 64KiB
output.file.path: /var/log
output.file.filename: flows.ndjson
";
    let nested = "\
auditbeat:
  modules:
  - module: system
    datasets:
    - socket
    socket:
      hooks: kprobe
      btf: /boot/btf
      enable_ipv6: false
      flow_inactive_timeout: 90
      flow_termination_timeout: 0s
      socket_inactive_timeout: 0.25s
      tables: &sizes
        flows: 1
        peers: 2
        owners: 3
        pending: 4
        late: 5
      tables.spill: 16777216
      tables.ring: 65536
output: {file: {path: /var/log, filename: flows.ndjson}}
";
    let (config, warnings) = right(dotted, &[]);
    assert_eq!(warnings, "");
    assert_eq!(right(nested, &[]), (config.clone(), String::new()));
    let socket = config.options::<SocketConfig>().unwrap();
    assert_eq!(socket.hooks, HookSet::Kprobe);
    assert_eq!(socket.btf.as_deref(), Some(Path::new("/boot/btf")));
    assert_eq!(socket.enable_ipv6, Some(false));
    assert_eq!(socket.flow_inactive_timeout, Duration::from_secs(90));
    assert_eq!(socket.flow_termination_timeout, Duration::ZERO);
    assert_eq!(socket.socket_inactive_timeout, Duration::from_millis(250));
    let tables = &socket.tables;
    assert_eq!(
        [tables.flows, tables.peers, tables.owners, tables.pending, tables.late, tables.spill],
        [1, 2, 3, 4, 5, 1 << 24]
    );
    assert_eq!(tables.ring, 64 << 10);
    assert_eq!(format!("{:?}", config.outputs).matches("filename: \"flows.ndjson\"").count(), 1);
}

#[test]
fn merge_keys() {
    let text = "\
fields: &common {socket.hooks: cgroup, module: auditd}
modules:
- <<: *common
  module: system
  datasets: socket
";
    let (config, warnings) = right(text, &[]);
    assert_eq!(config.options::<SocketConfig>().unwrap().hooks, HookSet::Cgroup);
    assert_eq!(warnings, "agent.yml:1:1: fields is not used by this version");
    // What a mapping has itself wins, in whichever form.
    let text = "\
times: &times {socket.hooks: cgroup, socket: {flow_inactive_timeout: 45s, tables.flows: 5}}
modules:
- module: system
  datasets: socket
  socket.tables: {flows: 6, peers: 7}
  socket.hooks: kprobe
  <<: [*times, {socket.hooks: fentry}]
";
    let (config, warnings) = right(text, &[]);
    let socket = config.options::<SocketConfig>().unwrap();
    assert_eq!((socket.hooks, socket.tables.flows, socket.tables.peers), (HookSet::Kprobe, 6, 7));
    assert_eq!((socket.flow_inactive_timeout, warnings.as_str()), (Duration::from_secs(45), ""));
}

#[test]
fn an_auditbeat_file_is_read_as_it_is() {
    let text = "\
auditbeat.modules:

- module: auditd
  audit_rule_files: [ '/etc/auditbeat/audit.rules.d/*.conf' ]
  audit_rules: |
    -a always,exit -F arch=b64 -S execve -k exec

- module: file_integrity
  paths:
  - /bin

- module: system
  datasets:
    - package
  period: 2m

- module: system
  datasets: [host, login, process, socket, user]
  state.period: 12h
  user.detect_password_changes: true
  login.wtmp_file_pattern: /var/log/wtmp*
  socket.flow_inactive_timeout: 45s
  socket.dns.enabled: true
  socket.err_queue_size: 1

setup.template.settings:
  index.number_of_shards: 1
name: web1
tags: [\"service-X\"]
fields:
  env: staging
setup.kibana:
output.elasticsearch:
  hosts: [\"localhost:9200\"]
  password: \"${ES_PWD}\"
processors:
  - add_host_metadata: ~
  - drop_event.when.equals: {http.response.code: 200}
logging.level: debug
";
    let (config, warnings) = right(text, &[allow_inactive()]);
    assert_eq!(
        config.options::<SocketConfig>().unwrap().flow_inactive_timeout,
        Duration::from_secs(45)
    );
    assert_eq!(
        warnings,
        "\
agent.yml:4:23: /etc/auditbeat/audit.rules.d/*.conf: no such file; there are no rules from it
agent.yml:8:11: module file_integrity is not used by this version
agent.yml:14:7: dataset package is not used by this version
agent.yml:18:14: dataset host is not used by this version
agent.yml:18:20: dataset login is not used by this version
agent.yml:18:27: dataset process is not used by this version
agent.yml:18:44: dataset user is not used by this version
agent.yml:20:3: user.detect_password_changes is not used by this version
agent.yml:21:3: login.wtmp_file_pattern is not used by this version
agent.yml:27:3: setup.template.settings.index.number_of_shards is not used by this version
agent.yml:28:1: name is not used by this version
agent.yml:29:1: tags is not used by this version
agent.yml:30:1: fields is not used by this version
agent.yml:33:1: output.elasticsearch is not used by this version; documents go to the other outputs, or to standard output
agent.yml:37:5: processor add_host_metadata is not used by this version
agent.yml:38:5: processor drop_event is not used by this version
agent.yml:39:1: logging.level is not used by this version"
    );

    // Without that permission each part that cannot run ends the start.
    let said = wrong(text, &[]);
    let parts: Vec<&str> = said
        .lines()
        .map(|line| line.split_once(" is configured, and this version cannot run it; ").unwrap().0)
        .collect();
    assert_eq!(
        parts,
        [
            "agent.yml:8:11: module file_integrity",
            "agent.yml:14:7: dataset package",
            "agent.yml:18:14: dataset host",
            "agent.yml:18:20: dataset login",
            "agent.yml:18:27: dataset process",
            "agent.yml:18:44: dataset user",
            "agent.yml:33:1: output.elasticsearch",
            "agent.yml:37:5: processor add_host_metadata",
            "agent.yml:38:5: processor drop_event",
        ]
    );
    right(&format!("strict: false\n{text}"), &[]);
}

#[test]
fn all_datasets_are_meant_where_none_is_named() {
    let (_, warnings) = right("modules:\n- module: system\n", &[]);
    assert_eq!(
        warnings,
        format!(
            "agent.yml:2:3: datasets is not set, which means all of them; this version runs {}",
            of_system()
        )
    );
}

fn names(config: &Config) -> Vec<&'static str> {
    config.outputs.iter().map(outputs::Configured::name).collect()
}

#[test]
fn a_disabled_output_is_none() {
    let text = format!("output.file: {{path: /x, enabled: false}}\n{}", module_with(""));
    assert_eq!(names(&right(&text, &[]).0), ["console"]);
    let text = format!("output.file.path: /x\noutput.console.enabled: false\n{}", module_with(""));
    assert_eq!(names(&right(&text, &[]).0), ["file"]);
    let text =
        format!("output: {{file.path: /x, console.pretty: true, discard: }}\n{}", module_with(""));
    assert_eq!(names(&right(&text, &[]).0), ["file", "console", "discard"]);
}

#[test]
fn the_sample_file_is_the_defaults_in_writing() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../ci/socket-agent.yml");
    let text = fs::read_to_string(path).unwrap();
    let (config, warnings) = right(&text, &[]);
    assert_eq!(config, Config::default());
    assert_eq!(warnings, "");
    // Every option with an effect is in it, if only behind a #.
    for option in crate::settings::options().iter().filter(|it| it.effect == Effect::Works) {
        let mut parts = option.key.splitn(2, '.');
        let (first, rest) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let written = match first {
            // Below the name of the output.
            "output" => rest.split_once('.').map(|(_, key)| format!("  {key}:")),
            name if processors::named(name).is_some() => {
                let line = text.lines().find(|line| line.contains(&format!("- {name}: {{")));
                line.filter(|line| line.contains(&format!("{rest}:"))).map(str::to_owned)
            }
            _ => Some(format!("{}:", option.key)),
        };
        assert!(written.is_some_and(|it| text.contains(&it)), "{} is missing", option.key);
    }
    // The module that is off is as it would be without a line.
    let (config, warnings) = right(&text, &[Override::from_argument("modules.1.enabled=true")]);
    assert_eq!(
        (config.options::<AuditConfig>(), warnings.as_str()),
        (Some(&AuditConfig::default()), "")
    );
}

#[test]
fn processors_are_read_in_their_order() {
    let text = format!(
        "processors:\n- drop_fields.fields: host.mac\n- add_tags: {{tags: [a, b]}}\n{}",
        module_with("")
    );
    let (config, warnings) = right(&text, &[]);
    let names: Vec<_> = config.processors.iter().map(processors::Configured::name).collect();
    assert_eq!((names, warnings.as_str()), (vec!["drop_fields", "add_tags"], ""));
    for (processor, message) in [
        (
            "add_tag: {}",
            "3: there is no processor add_tag; allowed: add_tags, drop_fields; did you mean add_tags?",
        ),
        (
            "add_tags: {tags: a}\n  when.equals: {}",
            "3: a processor has a second name; write each as an item of its own",
        ),
        (
            "add_tags: {tags: a, when: {equals: {x: 1}}}",
            "23: processor add_tags with a condition is configured, and this version cannot run it",
        ),
    ] {
        let text = format!("{}processors:\n- {processor}\n", module_with(""));
        let said = wrong(&text, &[]);
        assert!(said.contains(&format!(":{message}")) && said.lines().count() == 1, "{said}");
    }
}

#[test]
fn metrics_are_read_from_logging() {
    let text = format!(
        "logging: {{level: info, metrics: {{period: 5s}}}}\nlogging.metrics.enabled: false\n{}",
        module_with("socket.flow_report_period: 0s")
    );
    let (config, warnings) = right(&text, &[]);
    assert_eq!((config.metrics.enabled, config.metrics.period), (false, Duration::from_secs(5)));
    assert_eq!(config.options::<SocketConfig>().unwrap().flow_report_period, Duration::ZERO);
    assert_eq!(warnings, "agent.yml:1:11: logging.level is not used by this version");
}

fn load(file: Option<&Path>, default_file: &Path) -> Result<Loaded, ConfigError> {
    let sources =
        Sources { files: file.map(Path::to_owned).into_iter().collect(), ..Sources::default() };
    load_from(&sources, default_file, &|_| None)
}

#[test]
fn files() {
    let folder = tempfile::tempdir().unwrap();
    let (named, default) = (folder.path().join("named.yml"), folder.path().join("default.yml"));

    let loaded = load(None, &default).unwrap();
    assert_eq!((loaded.files, loaded.config), (Vec::new(), Config::default()));

    fs::write(&default, module_with("socket.hooks: cgroup")).unwrap();
    let loaded = load(None, &default).unwrap();
    assert_eq!(
        (loaded.files.as_slice(), loaded.config.options::<SocketConfig>().unwrap().hooks),
        (std::slice::from_ref(&default), HookSet::Cgroup)
    );

    let error = load(Some(&named), &default).unwrap_err().to_string();
    assert_eq!(
        error,
        format!(
            "{}: cannot be read: No such file or directory (os error 2); name a readable file with \
             -c",
            named.display()
        )
    );

    fs::write(&named, b"modules:\n- \xff\n").unwrap();
    let error = load(Some(&named), &default).unwrap_err().to_string();
    assert_eq!(
        error,
        format!("{}:2:3: not valid UTF-8; save the file in that encoding", named.display())
    );

    fs::write(&named, format!("\u{feff}{}", module_with("socket.hooks: fentry"))).unwrap();
    assert_eq!(
        load(Some(&named), &default).unwrap().config.options::<SocketConfig>().unwrap().hooks,
        HookSet::Fentry
    );
}
