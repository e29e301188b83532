//! What is said of each mistake, to the letter.

use super::{allow_inactive, module_with, of_system, right, wrong};

/// One wrong line in a module, and the one message it must give.
#[track_caller]
fn says(line: &str, expected: &str) {
    assert_eq!(wrong(&module_with(line), &[]), expected, "{line}");
}

/// One line in a module that has no effect, and the one warning it must give.
#[track_caller]
fn warns(line: &str, expected: &str) {
    assert_eq!(right(&module_with(line), &[]).1, expected, "{line}");
}

#[test]
fn unknown_keys() {
    warns(
        "socket.flow_inactiv_timeout: 30s",
        "agent.yml:4:3: unknown key socket.flow_inactiv_timeout has no effect; did you mean \
         socket.flow_inactive_timeout?",
    );
    warns(
        "socket: {tables: {flow: 5}}",
        "agent.yml:4:21: unknown key socket.tables.flow has no effect; did you mean \
         socket.tables.flows?",
    );
    warns(
        "sockt.hooks: auto",
        "agent.yml:4:3: unknown key sockt.hooks has no effect; did you mean socket.hooks?",
    );
    warns(
        "sockt: {hooks: auto}",
        "agent.yml:4:3: unknown key sockt has no effect; did you mean socket?",
    );
    warns("socket.teleport: true", "agent.yml:4:3: unknown key socket.teleport has no effect");
    warns("hot: x", "agent.yml:4:3: unknown key hot has no effect; did you mean host?");
    // Not "did you mean login?".
    warns(
        "login: x",
        "agent.yml:4:10: login is \"x\"; allowed: a mapping with wtmp_file_pattern, \
         btmp_file_pattern, state",
    );
    says(
        "socket..hooks: auto",
        "agent.yml:4:3: the key \"socket..hooks\" has an empty part; write parts with one dot \
         between",
    );
}

#[test]
fn wrong_values() {
    says(
        "socket.hooks: kprob",
        "agent.yml:4:17: socket.hooks is \"kprob\"; allowed: auto, fentry, kprobe, cgroup, tracefs; did you \
         mean kprobe?",
    );
    says(
        "socket.hooks: 7",
        "agent.yml:4:17: socket.hooks is 7; allowed: auto, fentry, kprobe, cgroup, tracefs",
    );
    says(
        "socket.flow_inactive_timeout: 30 parsecs",
        "agent.yml:4:33: socket.flow_inactive_timeout is \"30 parsecs\"; allowed: a duration above \
         0, such as 30s, 1m30s or 250ms",
    );
    says(
        "socket.socket_inactive_timeout: -1m",
        "agent.yml:4:35: socket.socket_inactive_timeout is \"-1m\"; allowed: a duration above 0, \
         such as 30s, 1m30s or 250ms",
    );
    says(
        "socket.flow_inactive_timeout: 0s",
        "agent.yml:4:33: socket.flow_inactive_timeout is \"0s\"; allowed: a duration above 0, such \
         as 30s, 1m30s or 250ms",
    );
    says(
        "socket.enable_ipv6: maybe",
        "agent.yml:4:23: socket.enable_ipv6 is \"maybe\"; allowed: true or false",
    );
    says("socket.btf: \"\"", "agent.yml:4:15: socket.btf is \"\"; allowed: a path");
}

#[test]
fn wrong_table_sizes() {
    for table in ["flows", "peers", "owners", "pending", "late", "spill"] {
        let key = format!("socket.tables.{table}");
        let column = 5 + key.len();
        says(
            &format!("{key}: 0"),
            &format!(
                "agent.yml:4:{column}: {key} is 0; allowed: a whole number from 1 to 16777216"
            ),
        );
    }
    for size in ["0", "5000", "4KiB1", "2048"] {
        let seen = if size == "4KiB1" { "\"4KiB1\"" } else { size };
        says(
            &format!("socket.tables.ring: {size}"),
            &format!(
                "agent.yml:4:23: socket.tables.ring is {seen}; allowed: a power of two from 4096 to \
                 1073741824, in bytes or such as 4MiB"
            ),
        );
    }
    for size in ["-1", "1.5", "99999999999"] {
        says(
            &format!("socket.tables.flows: {size}"),
            &format!(
                "agent.yml:4:24: socket.tables.flows is {size}; allowed: a whole number from 1 to \
                 16777216"
            ),
        );
    }
}

#[test]
fn wrong_types() {
    says(
        "socket.hooks: [auto]",
        "agent.yml:4:17: socket.hooks is a list; allowed: auto, fentry, kprobe, cgroup, tracefs",
    );
    says(
        "socket.enable_ipv6: {a: 1}",
        "agent.yml:4:23: socket.enable_ipv6 is a mapping; allowed: true or false",
    );
    says(
        "socket.tables: 5",
        "agent.yml:4:18: socket.tables is 5; allowed: a mapping with flows, peers, owners, pending, \
         late, spill, ring",
    );
    says(
        "socket.dns.af_packet: any",
        "agent.yml:4:25: socket.dns.af_packet is \"any\"; allowed: a mapping with interface, snaplen, ring, namespaces",
    );
    says("enabled: perhaps", "agent.yml:4:12: enabled is \"perhaps\"; allowed: true or false");
}

#[test]
fn options_without_effect_are_checked_too() {
    for (line, expected) in [
        ("socket.ring_size_exponent: 19", "is 19; allowed: a whole number from 1 to 18"),
        ("socket.perf_queue_size: 0", "is 0; allowed: a whole number from 1 to 4294967295"),
        ("socket.clock_max_drift: 0", "is 0; allowed: a duration above 0"),
        ("socket.guess_timeout: soon", "is \"soon\"; allowed: a duration above 0"),
        ("socket.dns.type: pcap", "is \"pcap\"; allowed: auto, cgroup, af_packet"),
        ("socket.dns.enabled: 5", "is 5; allowed: true or false"),
        ("socket.dns.af_packet.snaplen: 0", "is 0; allowed: a whole number from 128 to 262144"),
    ] {
        let said = wrong(&module_with(line), &[]);
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
fn keys_that_are_set_twice() {
    says(
        "socket.hooks: auto\n  socket.hooks: kprobe",
        "agent.yml:5:3: socket.hooks is set twice, first at agent.yml:4:3; remove one of them",
    );
    says(
        "socket.hooks: auto\n  socket: {hooks: kprobe}",
        "agent.yml:5:12: socket.hooks is set twice, first at agent.yml:4:3; remove one of them",
    );
    says(
        "socket.tables.flows: 5\n  socket: {tables: {flows: 6}}",
        "agent.yml:5:21: socket.tables.flows is set twice, first at agent.yml:4:3; remove one of \
         them",
    );
    // Both forms with one value leave no doubt.
    warns("socket.tables.flows: 5\n  socket: {tables: {flows: 5}}", "");
    warns("metricsets: []", "");
    says(
        "metricsets: [socket]",
        "agent.yml:4:3: metricsets means the same as datasets at agent.yml:3:3; remove one of them",
    );
    assert_eq!(
        wrong(&format!("auditbeat.modules: []\n{}", module_with("")), &[]),
        "agent.yml:1:1: auditbeat.modules means the same as modules at agent.yml:2:1; keep one"
    );
}

#[test]
fn wrong_modules() {
    assert_eq!(
        wrong("modules:\n- module: sytem\n", &[]),
        "agent.yml:2:11: module is \"sytem\"; allowed: system, auditd, file_integrity; did you mean \
         system?"
    );
    assert_eq!(
        wrong("modules:\n- modul: system\n", &[]),
        "agent.yml:2:3: a module has no key module; did you write modul for it?"
    );
    assert_eq!(
        wrong("modules: system\n", &[]),
        "agent.yml:1:10: modules is \"system\"; allowed: a list of modules"
    );
    assert_eq!(
        wrong("modules:\n- system\n", &[]),
        "agent.yml:2:3: a module is \"system\"; allowed: a mapping that begins with module: system"
    );
    assert_eq!(
        wrong("modules:\n- module: system\n  datasets: [sockets]\n", &[]),
        format!(
            "agent.yml:3:14: dataset \"sockets\"; allowed: host, login, package, process, user, {}; \
             did you mean socket?",
            of_system()
        )
    );
    assert_eq!(
        wrong(&format!("{}- module: system\n  datasets: [socket]\n", module_with("")), &[]),
        "agent.yml:5:3: a second enabled module has the dataset socket, beside the one at \
         agent.yml:2:3; keep one of them"
    );
}

#[test]
fn nothing_to_run() {
    for text in [
        "",
        "# only a comment\n",
        "modules: []\n",
        "output.console.enabled: true\n",
        "modules:\n- module: system\n  datasets: [host]\n",
        "modules:\n- module: system\n  datasets: [socket]\n  enabled: false\n",
        "auditbeat.modules:\n- module: file_integrity\n",
    ] {
        let said = wrong(text, &[allow_inactive()]);
        assert!(
            said.contains("no enabled module has a dataset of this version"),
            "{text:?}: {said}"
        );
    }
}

#[test]
fn wrong_top_level() {
    let module = module_with("");
    for (line, expected) in [
        ("modles: []", "agent.yml:1:1: unknown key modles; did you mean modules?"),
        (
            "output.elasticsearh.hosts: [x]",
            "agent.yml:1:1: there is no output output.elasticsearh; allowed: console, file, \
             discard, redis, elasticsearch, logstash, kafka; did you mean elasticsearch?",
        ),
        (
            "socket.hooks: auto",
            "agent.yml:1:1: socket.* has no meaning here; write it into a module, below datasets",
        ),
        ("output: stdout", "agent.yml:1:9: output is \"stdout\"; allowed: a mapping"),
        (
            "output.file: flows.ndjson",
            "agent.yml:1:14: output.file is \"flows.ndjson\"; allowed: a mapping",
        ),
        (
            "output.file.filename: x",
            "agent.yml:1:1: output.file has no path; write output.file.path: /var/log/socket-agent",
        ),
        (
            "output.console.enabled: false",
            "agent.yml:1:1: no output is enabled; enable one, or write output.file.path: \
             /var/log/socket-agent",
        ),
        (
            "output: {console: {enabled: false}, file: {path: /tmp, enabled: false}}",
            "agent.yml:1:10: no output is enabled; enable one, or write output.file.path: \
             /var/log/socket-agent",
        ),
        (
            "logging: {metrics: {period: 0s}}",
            "agent.yml:1:29: logging.metrics.period is \"0s\"; allowed: a duration above 0, such as \
             30s, 1m30s or 250ms",
        ),
        (
            "outputt.file.path: /x",
            "agent.yml:1:1: unknown key outputt.file.path; did you mean output?",
        ),
    ] {
        assert_eq!(wrong(&format!("{line}\n{module}"), &[]), expected);
    }
    for (line, expected) in [
        (
            "logging: {metric: {period: 5s}}",
            "agent.yml:1:11: unknown key logging.metric has no effect; did you mean logging.metrics?",
        ),
        (
            "auditbeat.modul: []",
            "agent.yml:1:1: unknown key auditbeat.modul has no effect; did you mean auditbeat.modules?",
        ),
        ("telephone: 5", "agent.yml:1:1: unknown key telephone has no effect"),
    ] {
        assert_eq!(right(&format!("{line}\n{module}"), &[]).1, expected);
    }
    assert_eq!(wrong("- a\n- b\n", &[]), "agent.yml:1:1: the file is a list; allowed: a mapping");
}

#[test]
fn not_yaml() {
    for (text, location) in [
        ("modules:\n\t- module: system\n", "agent.yml:2:"),
        ("modules: [\n", "agent.yml:2:1: "),
        ("a: \"b\n", "agent.yml:"),
        ("a: *b\n", "agent.yml:1:"),
        ("a: b: c\n", "agent.yml:1:"),
    ] {
        let said = wrong(text, &[]);
        assert!(
            said.starts_with(location) && said.contains("not valid YAML: "),
            "{text:?}: {said}"
        );
        assert_eq!(said.lines().count(), 1, "{said}");
    }
    assert_eq!(
        wrong("a: 1\n---\nb: 2\n", &[]),
        "agent.yml:2:1: a second document begins here; put everything into the first one"
    );
    assert_eq!(wrong("? [a, b]\n: c\n", &[]), "agent.yml:1:3: a key is a list; allowed: a name");
    assert_eq!(
        wrong("name: !secret x\n", &[]),
        "agent.yml:1:7: the tag !secret is not understood; remove it"
    );
    assert_eq!(
        wrong("name: &a [*a]\n", &[]),
        "agent.yml:1:11: an alias refers to itself; write the value out"
    );
}

#[test]
fn a_document_that_explodes_is_refused() {
    let mut bomb = String::from("tags: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..12 {
        let alias = format!("*a{}", level - 1);
        bomb += &format!("k{level}: &a{level} [{}]\n", vec![alias; 10].join(", "));
    }
    assert!(wrong(&bomb, &[]).contains("more than 100000 values"));
    let deep = format!("tags: {}{}", "[".repeat(1000), "]".repeat(1000));
    assert!(!wrong(&deep, &[]).is_empty());
}

#[test]
fn environment() {
    says(
        "socket.hooks: ${MISSING}",
        "agent.yml:4:17: socket.hooks: environment variable MISSING is not set; set it or write \
         ${MISSING:default}",
    );
    says(
        "socket.flow_inactive_timeout: ${BAD}",
        "agent.yml:4:33: socket.flow_inactive_timeout is \"30 parsecs\"; allowed: a duration above \
         0, such as 30s, 1m30s or 250ms",
    );
    says(
        "socket.btf: ${BTF:?name the BTF file}",
        "agent.yml:4:15: socket.btf: environment variable BTF is not set: name the BTF file",
    );
}

#[test]
fn all_at_once_in_the_order_of_the_file() {
    let text = "\
output.nowhere: {}
modules:
- module: system
  datasets: [socket, sokets]
  socket.hooks: magic
  socket.hooks: kprobe
  socket.tables.flows: 0
  sockets.tables.ring: 5
- module: auditt
";
    assert_eq!(
        wrong(text, &[]).replace(&of_system(), "socket"),
        "\
agent.yml:1:1: there is no output output.nowhere; allowed: console, file, discard, redis, elasticsearch, logstash, kafka
agent.yml:4:22: dataset \"sokets\"; allowed: host, login, package, process, user, socket; did you mean socket?
agent.yml:5:17: socket.hooks is \"magic\"; allowed: auto, fentry, kprobe, cgroup, tracefs
agent.yml:6:3: socket.hooks is set twice, first at agent.yml:5:3; remove one of them
agent.yml:7:24: socket.tables.flows is 0; allowed: a whole number from 1 to 16777216
agent.yml:9:11: module is \"auditt\"; allowed: system, auditd, file_integrity; did you mean auditd?"
    );
}
