//! Keys that a valid file of Auditbeat can have, and what this agent says of them.

use super::{allow_inactive, lines, module_with, read, right, wrong};
use config::Override;
use sensor::{HookSet, SocketConfig};

/// Warnings, and remarks on settings without meaning, of one line in a module.
fn said_of(line: &str) -> (String, String) {
    let loaded = read(&module_with(line), &[]).unwrap_or_else(|error| panic!("{line}: {error}"));
    (lines(&loaded.warnings), lines(&loaded.summary.without_meaning))
}

#[test]
fn keys_of_every_module() {
    for line in [
        "id: abc",
        "timeout: 5s",
        "hosts: [localhost]",
        "host: x",
        "raw: false",
        "query: {a: b}",
        "period: 10s",
        "name: foo",
        "keep_null: true",
        "socket.development_mode: true",
        "socket.err_queue_size: 2",
    ] {
        let (key, _) = line.split_once(':').unwrap();
        let (warnings, remarks) = said_of(line);
        assert_eq!(warnings, "", "{line}");
        assert!(
            remarks.starts_with(&format!("agent.yml:4:3: {key} has no meaning here: ")),
            "{line}: {remarks}"
        );
    }
    for line in [
        "package.rpm_drop_to_uid: 65534",
        "process.backend: procfs",
        "host.state.period: 1h",
        "service.name: web",
        "pipeline: p",
        "index: a",
        "publisher_pipeline.disable_host: true",
        "tags: [a]",
        "fields_under_root: true",
    ] {
        let (key, _) = line.split_once(':').unwrap();
        let expected = format!("agent.yml:4:3: {key} is not used by this version");
        assert_eq!(said_of(line), (expected, String::new()), "{line}");
    }
    // Nothing is asked for.
    for line in ["metricsets: []", "processors: []", "processors:", "tags: []", "service:"] {
        assert_eq!(said_of(line), (String::new(), String::new()), "{line}");
    }
    let service = "service.name: web\n  service: {name: web, hosts: [a]}";
    let (warnings, _) = said_of(service);
    assert!(warnings.contains("agent.yml:5:24: service is not used"), "{warnings}");
}

#[test]
fn keys_of_the_audit_module_and_of_the_top_level() {
    let text = "\
modules:
- module: auditd
  stream_buffer_consumers: 4
  id: a
gc_percent: 50
max_procs: 2
logging.metrics.namespaces: [stats]
logging.to_eventlog: false
http.pprof.enabled: false
instrumentation.profiling.cpu.interval: 60s
";
    let loaded = read(text, &[]).unwrap();
    assert_eq!(lines(&loaded.warnings), "");
    assert_eq!(
        loaded.summary.to_string(),
        "1 setting in effect, 8 without meaning here: gc_percent, max_procs, \
         logging.metrics.namespaces, logging.to_eventlog, http.pprof.enabled, \
         instrumentation.profiling.cpu.interval, stream_buffer_consumers, id"
    );
    let text = format!("logging.ecs: true\nqueue.mem.events: 5\n{}", module_with(""));
    let loaded = read(&text, &[]).unwrap();
    assert_eq!(
        loaded.summary.to_string(),
        "2 settings in effect, 2 not used by this version: logging.ecs, queue.mem.events"
    );
    let text = format!("logging.ecs: true\n{}", module_with("id: a"));
    assert_eq!(
        read(&text, &[]).unwrap().summary.to_string(),
        "2 settings in effect, 1 without meaning here: id; 1 not used by this version: logging.ecs"
    );
}

#[test]
fn keys_of_the_users_own() {
    // They hold what other places repeat or refer to.
    for text in [
        "x-times: &times\n  socket.hooks: kprobe\nmodules:\n- {module: system, datasets: [socket], <<: *times}\n",
        "modulez: &times\n  socket.hooks: kprobe\nmodules:\n- {module: system, datasets: [socket], <<: *times}\n",
        "my.hooks: kprobe\nmodules:\n- {module: system, datasets: [socket], socket.hooks: '${my.hooks}'}\n",
        "my: {hooks: kprobe}\nmodules:\n- {module: system, datasets: [socket], socket.hooks: '${NO:${my.hooks}}'}\n",
        "my: [system, socket]\nmodules:\n- {module: '${my.0}', datasets: ['${my.1}'], socket.hooks: kprobe}\n",
        "my: [[socket]]\nmodules:\n- {module: system, datasets: '${my.0}', socket.hooks: kprobe}\n",
        "my: {hooks: kprobe}\nmodules:\n- {module: system, datasets: [socket], socket: '${my}'}\n",
        "a: ${b}\nb: kprobe\nmodules:\n- {module: system, datasets: [socket], socket.hooks: '${a}'}\n",
    ] {
        let (config, warnings) = right(text, &[]);
        assert_eq!(config.options::<SocketConfig>().unwrap().hooks, HookSet::Kprobe, "{text}");
        assert_eq!(warnings, "", "{text}");
    }
    // The setting wins over the variable of that name.
    let text = "HOOKS: cgroup\nmodules:\n- {module: system, datasets: [socket], socket.hooks: '${HOOKS}'}\n";
    assert_eq!(right(text, &[]).0.options::<SocketConfig>().unwrap().hooks, HookSet::Cgroup);
    let text = text.replace("cgroup", "${HOOKS}");
    assert_eq!(right(&text, &[]).0.options::<SocketConfig>().unwrap().hooks, HookSet::Kprobe);
    let text = module_with("socket.hooks: ${my.hoks}");
    assert_eq!(
        wrong(&text, &[]),
        "agent.yml:4:17: socket.hooks: there is no setting my.hoks; set it or write \
         ${my.hoks:default}"
    );
}

#[test]
fn anything_in_a_module_that_is_not_enabled() {
    for module in [
        "bogus.key: 1",
        "socket.hooks: krpobe",
        "datasets: [host, nonsense, {a: b}]",
        "socket.btf: '${NOT_SET}'",
        "socket: 5",
        "processors: [{add_host_metadata: }, 5]",
        "metricsets: [socket]",
        "socket.tables: {flows: 0}",
    ] {
        let text = format!("{}- {{module: system, enabled: false, {module}}}\n", module_with(""));
        right(&text, &[]);
    }
    for module in [
        "{module: nonsense, enabled: false}",
        "{module: file_integrity, enabled: false, paths: [/bin]}",
        "{modul: x, enabled: no}",
        "{module: auditd, enabled: '${OFF:false}', failure_mode: loud, audit_rules: [1]}",
    ] {
        right(&format!("{}- {module}\n", module_with("")), &[]);
    }
    // What would be wrong if it ran is told all the same.
    let text = format!(
        "{}- {{module: system, enabled: false, socket.hoks: 1, socket.hooks: kprob}}\n",
        module_with("")
    );
    assert_eq!(
        right(&text, &[]).1,
        "agent.yml:5:36: unknown key socket.hoks has no effect; did you mean socket.hooks?\n\
         agent.yml:5:66: socket.hooks is \"kprob\"; allowed: auto, fentry, kprobe, cgroup, tracefs; \
         did you mean kprobe?; this part is not enabled"
    );
    // It counts for nothing, but that it is off.
    let text = format!("{}- {{module: system, enabled: false, id: x}}\n", module_with(""));
    assert_eq!(read(&text, &[]).unwrap().summary.to_string(), "3 settings in effect");
    let text = text.replace("enabled: false, id: x", "enabled: true, datasets: [], id: x");
    let said = wrong(&text, &[]);
    assert!(said.contains("a second enabled module has the dataset socket"), "{said}");
    assert_eq!(
        read(&module_with("enabled: true"), &[]).unwrap().summary.to_string(),
        "3 settings in effect"
    );
    // Whether it runs has to be clear.
    let said = wrong("modules: [{module: system, enabled: maybe}]\n", &[]);
    assert_eq!(said, "agent.yml:1:37: enabled is \"maybe\"; allowed: true or false");
}

#[test]
fn parts_that_cannot_run() {
    let module = module_with("");
    for (text, part) in [
        (
            format!("{module}processors: [{{add_host_metadata: ~}}]\n"),
            "processor add_host_metadata",
        ),
        (format!("{module}  processors: [{{drop_event.when: 1}}]\n"), "processor drop_event"),
        (format!("{module}output.kafka.hosts: [x]\n"), "output.kafka"),
        (format!("{module}cloud.id: x\n"), "cloud.id (which means output.elasticsearch)"),
        (format!("{module}- module: file_integrity\n"), "module file_integrity"),
        (module.replace("[socket]", "[socket, user]"), "dataset user"),
    ] {
        let said = wrong(&text, &[]);
        assert!(said.contains(&format!(": {part} is configured, and this version cannot run it")));
        let loaded = read(&text, &[allow_inactive()]).unwrap();
        let warnings = lines(&loaded.warnings);
        assert!(warnings.contains(&format!(": {part} is not used by this version")), "{warnings}");
        assert_eq!(loaded.warnings.len(), 1, "{warnings}");
        assert_eq!(
            loaded.summary.to_string(),
            format!("3 settings in effect, 1 not used by this version: {part}")
        );
        right(&text, &[Override::from_argument("strict=false")]);
    }
    for text in ["output.kafka: {hosts: [x], enabled: false}", "processors: []", "cloud.id:"] {
        assert_eq!(right(&format!("{module}{text}\n"), &[]).1, "", "{text}");
    }
    // Misspelt keys of what cannot run are told even so.
    let text = format!("{module}output.kafka: {{hots: [x], ssl.enable: true, enabled: false}}\n");
    assert_eq!(
        right(&text, &[]).1,
        "agent.yml:5:16: unknown key output.kafka.hots has no effect; did you mean \
         output.kafka.hosts?\n\
         agent.yml:5:27: unknown key output.kafka.ssl.enable has no effect; did you mean \
         output.kafka.ssl.enabled?"
    );
    let text = format!("{module}processors: {{add_host_metadata: ~}}\n");
    assert_eq!(
        wrong(&text, &[]),
        "agent.yml:5:13: processors is a mapping; allowed: a list of processors"
    );
    let text = format!("{module}processors: [add_host_metadata]\n");
    assert_eq!(
        wrong(&text, &[]),
        "agent.yml:5:14: a processor is \"add_host_metadata\"; allowed: a mapping that begins with \
         its name"
    );
}
