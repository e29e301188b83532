//! The audit dataset: rules and their places, names of old, what goes together.

use std::{fs, time::Duration};

use super::*;
use audit::{
    AuditConfig, Backpressure, LoadRules, SocketType,
    document::Schema,
    rules::{Command, FailureMode, PermCalls},
};

fn audit(text: &str) -> AuditConfig {
    right(text, &[]).0.options::<AuditConfig>().unwrap().clone()
}

fn rule_texts(config: &AuditConfig) -> Vec<String> {
    let rules = config.rules.as_ref().unwrap();
    let text = |command: &Command| match command {
        Command::Add { rule, .. } => rule.to_text(None),
        other => format!("{other:?}"),
    };
    rules.commands.iter().map(|command| text(&command.value)).collect()
}

#[test]
fn every_option() {
    let options = "socket_type: unicast\nimmutable: true\nresolve_ids: false\nfailure_mode: log\n\
                   backlog_limit: 1024\nrate_limit: 7\ninclude_raw_message: true\n\
                   include_warnings: true\naudit_rules: -w /etc/passwd -p wa -k id\n\
                   ignore_errors: true\nbackpressure_strategy: both\n\
                   reassembler: {max_in_flight: 9, timeout: 3s, queue_size: 11}\n\
                   audit.schema: kernel\naudit.restore_rules: true\naudit.load_rules: always\n\
                   audit.perm_calls: listed\naudit.receive_buffer: 1MiB\n";
    let below =
        |indent: &str| options.lines().map(|l| format!("{indent}{l}\n")).collect::<String>();
    let now = format!("modules:\n- module: auditd\n{}", below("  "));
    let config = audit(&now);
    assert_eq!(rule_texts(&config), ["-w /etc/passwd -p wa -k id"]);
    let expected = AuditConfig {
        socket_type: SocketType::Unicast,
        immutable: true,
        resolve_ids: false,
        failure_mode: FailureMode::Log,
        backlog_limit: 1024,
        rate_limit: 7,
        include_raw_message: true,
        include_warnings: true,
        rules: config.rules.clone(),
        ignore_errors: true,
        backpressure: Backpressure::Both,
        max_in_flight: 9,
        timeout: Duration::from_secs(3),
        queue_size: 11,
        schema: Schema::Kernel,
        restore_rules: true,
        load_rules: LoadRules::Always,
        perm_calls: PermCalls::Listed,
        receive_buffer: 1 << 20,
    };
    assert_eq!(config, expected);

    let old =
        format!("modules:\n- module: audit\n  metricsets: [kernel]\n  kernel:\n{}", below("    "));
    let old = audit(&old);
    let texts = rule_texts(&old);
    assert_eq!(AuditConfig { rules: expected.rules.clone(), ..old }, expected);
    assert_eq!(texts, ["-w /etc/passwd -p wa -k id"]);
    assert_eq!(audit("modules: [{module: auditd}]"), AuditConfig::default());
}

#[test]
fn kinds_of_access_can_be_narrowed_to_calls() {
    let rule = "-a always,exit -F arch=b64 -F path=/etc/passwd -F perm=x";
    let calls = |option: &str| {
        let config =
            audit(&format!("modules:\n- module: auditd\n  audit_rules: {rule}\n  {option}\n"));
        match &config.rules.unwrap().commands[0].value {
            Command::Add { rule, .. } => rule.calls().iter().count(),
            other => panic!("{other:?}"),
        }
    };
    assert!(calls("") > 1_000 && calls("audit.perm_calls: all") > 1_000);
    assert_eq!(calls("audit.perm_calls: listed"), 2);
}

#[test]
fn dotted_keys_of_the_original_metricset() {
    let text = "modules:\n- module: audit\n  metricsets: [\"kernel\"]\n  kernel.resolve_ids: false\n\
                \x20 kernel.audit_rules: |\n    -w /etc/group -p wa\n\n    # More.\n    -w /etc/shadow -p wa\n";
    let config = audit(text);
    assert!(!config.resolve_ids);
    assert_eq!(rule_texts(&config), ["-w /etc/group -p wa", "-w /etc/shadow -p wa"]);
    assert_eq!(
        wrong("modules:\n- module: audit\n  rate_limit: 5\n  kernel.rate_limit: 6\n", &[]),
        "agent.yml:4:3: kernel.rate_limit means the same; keep one of them"
    );
}

#[test]
fn all_rule_errors_at_once_where_they_stand() {
    let folder = tempfile::tempdir().unwrap();
    let rules = folder.path().join("rules.d");
    fs::create_dir(&rules).unwrap();
    fs::write(rules.join("20-b.rules"), "-a always,exit -S nocall\n").unwrap();
    fs::write(rules.join("10-a.rules"), "# fine\n-w /etc/hosts -p wa\n\n-w etc\n").unwrap();
    fs::write(rules.join("30-c.txt"), "nothing that is read").unwrap();
    let text = "modules:\n- module: auditd\n  failure_mode: loud\n  audit_rules: |\n    -w /etc/passwd -p q\n    -w /etc/group\n      -k alone\n  \
                audit_rule_files: ['rules.d/*.rules', rules.d/none]\n";
    let error = read_in(folder.path(), text).unwrap_err().to_string();
    let error = error.replace(&format!("{}/", rules.display()), "");
    let places: Vec<&str> = error.lines().map(|line| line.split_once(": ").unwrap().0).collect();
    assert_eq!(
        places,
        [
            "agent.yml:3:17",
            "agent.yml:5:23",
            "agent.yml:7:7",
            "agent.yml:8:41",
            "10-a.rules:4:4",
            "20-b.rules:1:19"
        ],
        "{error}"
    );
    assert!(
        error.lines().nth(3).unwrap().ends_with(
            "none: cannot be read: there is no such file; correct the name or leave it out"
        ),
        "{error}"
    );

    let text =
        text.replace("failure_mode: loud", "ignore_errors: true").replace(", rules.d/none", "");
    let Loaded { config, warnings, .. } = read_in(folder.path(), &text).unwrap();
    assert_eq!(
        rule_texts(config.options::<AuditConfig>().unwrap()),
        ["-w /etc/group -p rwxa", "-w /etc/hosts -p wa"]
    );
    assert_eq!(warnings.len(), 4, "{}", lines(&warnings));
}

#[test]
fn rules_that_are_no_block_name_the_value() {
    let text = "modules:\n- module: auditd\n  audit_rules: \"-w /etc -p q\"\n";
    let said = wrong(text, &[]);
    assert!(said.starts_with("agent.yml:3:16: audit_rules:1:"), "{said}");
    let given = Override::from_argument("modules.0.audit_rules=-w /etc -p q");
    let said = wrong("modules: [{module: auditd}]", &[given]);
    assert!(said.starts_with("-E modules.0.audit_rules=-w /etc -p q: audit_rules:1:"), "{said}");
}

#[test]
fn patterns_without_files() {
    let text = "modules:\n- module: auditd\n  audit_rule_files: /nonexistent/*.rules\n";
    // Nothing would be audited, so that somebody would wait for documents in vain.
    let expected = "agent.yml:3:21: /nonexistent/*.rules: no such file, and there are no other \
                    rules: nothing would be audited; put a file there, leave audit_rule_files out, \
                    or start with --allow-inactive";
    assert_eq!(wrong(text, &[]), expected);
    let comments = format!("{text}  audit_rules: |\n    # -w /etc/hosts -p wa\n");
    assert_eq!(wrong(&comments, &[]), expected);

    let warning = "agent.yml:3:21: /nonexistent/*.rules: no such file; there are no rules from it";
    let (config, warnings) = right(text, &[allow_inactive()]);
    assert_eq!(warnings, warning);
    assert_eq!(config.options::<AuditConfig>().unwrap().rules.as_ref().unwrap().commands, []);
    let (config, warnings) = right(&format!("{text}  audit_rules: -w /etc/hosts -p wa\n"), &[]);
    assert_eq!(warnings, warning);
    assert_eq!(rule_texts(config.options::<AuditConfig>().unwrap()), ["-w /etc/hosts -p wa"]);

    // A file that is there configures rules, even if it has none.
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.rules"), "# none\n").unwrap();
    let text = "modules:\n- module: auditd\n  audit_rule_files: ['*.rules', '*.conf']\n";
    let loaded = read_in(folder.path(), text).unwrap();
    assert_eq!(loaded.warnings.len(), 1, "{}", lines(&loaded.warnings));
}

#[test]
fn what_does_not_go_together() {
    let text = "modules:\n- module: auditd\n  socket_type: multicast\n  immutable: true\n";
    let said = wrong(text, &[]);
    assert!(said.starts_with("agent.yml:4:3: immutable: true is for the owner"), "{said}");
    let said = wrong("modules: [{module: auditd}, {module: auditd}]", &[]);
    assert_eq!(
        said,
        "agent.yml:1:29: a second enabled module has the dataset auditd, beside the one at \
         agent.yml:1:11; keep one of them"
    );
    // Rules of a module that does not run are not looked at.
    let (config, warnings) = right(
        &format!(
            "{}- {{module: auditd, enabled: false, audit_rules: nonsense}}\n",
            module_with("")
        ),
        &[],
    );
    assert_eq!((config.options::<AuditConfig>(), warnings.as_str()), (None, ""));
}
