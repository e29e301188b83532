//! `socket-agent show`: with the names and options that Auditbeat has.

use std::{cell::RefCell, fmt::Write as _, process::ExitCode};

use anyhow::Context as _;
use clap::{Args, Subcommand};

use super::{PATIENCE, offsets, report::print, sockets};
use audit::{
    names::Arch,
    netlink::{Control, Status},
    rules::{Numbers, Rule},
};
use linux::Accounts;

#[derive(Debug, Subcommand)]
pub(super) enum Show {
    /// The audit rules that are loaded, in auditctl's language; needs CAP_AUDIT_CONTROL.
    #[command(name = "auditd-rules", visible_alias = "audit-rules")]
    Rules(RulesArguments),
    /// What the audit framework is set to, and how it is doing; needs CAP_AUDIT_CONTROL.
    #[command(name = "auditd-status", visible_alias = "audit-status")]
    Status(StatusArguments),
    /// The sockets that are open now, in all network namespaces, and whose they are; needs root.
    Sockets(sockets::Arguments),
    /// Where the members of the kernel's structures are that the set `tracefs` reads; with --guess needs root.
    Offsets(offsets::Arguments),
}

#[derive(Args, Debug)]
pub(super) struct RulesArguments {
    /// Leave numbers of users, groups and file types as they are.
    #[arg(short = 'n', long)]
    no_resolve: bool,
    /// Print nothing if there are no rules, rather than say so.
    #[arg(short = 'z', long)]
    no_output: bool,
}

#[derive(Args, Debug)]
pub(super) struct StatusArguments {
    /// Print everything on one line.
    #[arg(short, long)]
    single_line: bool,
}

pub(super) fn run(command: &Show) -> anyhow::Result<ExitCode> {
    let text = match command {
        Show::Rules(arguments) => {
            let rules = Control::open()?.rules()?;
            rules_text(&rules, arguments)?
        }
        Show::Sockets(arguments) => return sockets::run(arguments),
        Show::Offsets(arguments) => offsets::text(arguments)?,
        Show::Status(arguments) => status_text(&Control::open()?.status()?, arguments.single_line),
    };
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn rules_text(rules: &[Vec<u8>], arguments: &RulesArguments) -> anyhow::Result<String> {
    if rules.is_empty() && !arguments.no_output {
        return Ok("No rules\n".to_owned());
    }
    let names = RefCell::new(Accounts::of_host().names());
    let user = |id| names.borrow_mut().user(id).map(|name| name.to_string());
    let group = |id| names.borrow_mut().group(id).map(|name| name.to_string());
    if arguments.no_resolve {
        return listing(rules, Numbers::Bare);
    }
    // The first is for the name service's sake, which answers later.
    listing(rules, Numbers::Named(&user, &group))?;
    names.borrow_mut().settle(PATIENCE);
    listing(rules, Numbers::Named(&user, &group))
}

/// Rules in auditctl's language, a line each.
fn listing(rules: &[Vec<u8>], numbers: Numbers<'_>) -> anyhow::Result<String> {
    let mut text = String::new();
    for (index, rule) in rules.iter().enumerate() {
        let rule =
            Rule::decode(rule).with_context(|| format!("rule {} of the kernel", index + 1))?;
        writeln!(text, "{}", rule.to_listing(Arch::of_build(), numbers))?;
    }
    Ok(text)
}

/// The names are those of `auditctl -s`.
fn status_text(status: &Status, single_line: bool) -> String {
    let mut values = vec![
        ("enabled", status.enabled.to_string()),
        ("failure", status.failure.to_string()),
        ("pid", status.pid.to_string()),
        ("rate_limit", status.rate_limit.to_string()),
        ("backlog_limit", status.backlog_limit.to_string()),
        ("lost", status.lost.to_string()),
        ("backlog", status.backlog.to_string()),
    ];
    let more = [
        ("backlog_wait_time", status.backlog_wait_time),
        ("backlog_wait_time_actual", status.backlog_wait_time_actual),
    ];
    values.extend(more.into_iter().filter_map(|(name, value)| Some((name, value?.to_string()))));
    values.extend(status.features.map(|bits| ("features", format!("{bits:#x}"))));
    let parts: Vec<String> =
        values.into_iter().map(|(name, value)| format!("{name} {value}")).collect();
    parts.join(if single_line { " " } else { "\n" }) + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use audit::rules::{Command, PermCalls, Position, RuleSet, Source, System};

    fn shown(text: &str, no_resolve: bool) -> String {
        let source = Source { name: "test", first_line: 1, text: text.as_bytes() };
        let host = System::read().unwrap();
        let set = RuleSet::read([source], &host.host(PermCalls::All), false).unwrap();
        let rules: Vec<Vec<u8>> = set
            .commands
            .into_iter()
            .map(|command| match command.value {
                Command::Add { rule, .. } => rule.encode(Position::Last),
                other => panic!("{other:?}"),
            })
            .collect();
        rules_text(&rules, &RulesArguments { no_resolve, no_output: false }).unwrap()
    }

    #[test]
    fn rules_with_names_and_without() {
        let text =
            "-a always,exit -S all -F uid=root -F gid!=root -F auid=4000000000 -F filetype=dir\n";
        let named =
            "-a always,exit -S all -F uid=root -F gid!=root -F auid=4000000000 -F filetype=dir\n";
        assert_eq!(shown(text, false), named.replace("4000000000", "-294967296"));
        let bare =
            "-a always,exit -S all -F uid=0 -F gid!=0 -F auid=-294967296 -F filetype=16384\n";
        assert_eq!(shown(text, true), bare);
        // As auditctl lists them.
        let directory = "-a always,exit -F dir=/etc/ -F perm=wa -F key=a\n";
        assert_eq!(shown(directory, false), "-w /etc/ -p wa -k a\n");
        assert_eq!(shown("", false), "No rules\n");
        let quiet = RulesArguments { no_resolve: false, no_output: true };
        assert_eq!(rules_text(&[], &quiet).unwrap(), "");
    }

    #[test]
    fn status_of_old_and_new_kernels() {
        let new = Status {
            enabled: 1,
            failure: 2,
            pid: 3,
            rate_limit: 4,
            backlog_limit: 5,
            lost: 6,
            backlog: 7,
            features: Some(0x7f),
            backlog_wait_time: Some(8),
            backlog_wait_time_actual: Some(9),
        };
        assert_eq!(
            status_text(&new, true),
            "enabled 1 failure 2 pid 3 rate_limit 4 backlog_limit 5 lost 6 backlog 7 \
             backlog_wait_time 8 backlog_wait_time_actual 9 features 0x7f\n"
        );
        let old = Status {
            features: None,
            backlog_wait_time: None,
            backlog_wait_time_actual: None,
            ..new
        };
        assert!(status_text(&old, false).ends_with("lost 6\nbacklog 7\n"));
    }
}
