//! Command line arguments.

use std::{path::PathBuf, time::Duration};

use clap::{ArgAction, Args, Parser, Subcommand};

use crate::settings::{STRICT, Sources};
use config::{Override, parse_duration};

/// Reports every network flow of this host with the process and user behind it.
#[derive(Debug, Parser)]
#[command(name = "socket-agent", version, arg_required_else_help = true)]
#[command(disable_help_subcommand = true, max_term_width = 100)]
pub(super) struct Arguments {
    #[command(flatten)]
    pub(super) logging: Logging,
    #[command(subcommand)]
    pub(super) command: Command,
}

/// How much is logged, on standard error.
#[derive(Args, Debug, Default)]
#[command(next_help_heading = "Logging, on standard error")]
pub(super) struct Logging {
    /// Log more: debug messages, or everything if given twice.
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(super) verbose: u8,
    /// Log only warnings and errors.
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(super) quiet: bool,
    /// Log debug messages of these parts only, such as sensor,flow; * means all.
    #[arg(short, long, global = true, value_name = "PARTS", value_delimiter = ',')]
    pub(super) debug: Vec<String>,
    /// Accepted for the sake of Auditbeat's users: the log goes to standard error anyway.
    #[arg(short = 'e', global = true, hide = true)]
    pub(super) to_stderr: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Observe flows and write a document for each.
    Run(RunArguments),
    /// Work with records of the Linux audit framework.
    #[command(subcommand)]
    Audit(super::audit::Audit),
    /// Show what there is on this host: sockets, audit rules.
    #[command(subcommand)]
    Show(super::show::Show),
    /// Check things without running.
    #[command(subcommand)]
    Test(Test),
    /// Show what this host offers, what is missing, and which hook set would be used.
    Doctor,
}

#[derive(Debug, Subcommand)]
pub(super) enum Test {
    /// Check the configuration; touches neither the kernel nor a running agent.
    Config(SourceArguments),
    /// Try the outputs of the configuration, without sending documents.
    Output(SourceArguments),
}

/// Where the configuration comes from.
#[derive(Args, Debug, Default)]
pub(super) struct SourceArguments {
    /// Configuration file [default: /etc/socket-agent/socket-agent.yml, if it exists]; repeatable,
    /// later files change what earlier ones say; * and ? stand for several.
    #[arg(short = 'c', long = "config", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Change a setting, as in -E socket.hooks=kprobe or -E output.file.path=/tmp; repeatable.
    #[arg(short = 'E', value_name = "KEY=VALUE")]
    settings: Vec<String>,
    /// Folder that the other three begin with. Short for -E path.home=...
    #[arg(long = "path.home", value_name = "FOLDER")]
    home: Option<String>,
    /// Folder of configuration files, from which -c starts as well. Short for -E path.config=...
    #[arg(long = "path.config", value_name = "FOLDER")]
    config: Option<String>,
    /// Folder for what is kept. Short for -E path.data=...
    #[arg(long = "path.data", value_name = "FOLDER")]
    data: Option<String>,
    /// Folder for logs. Short for -E path.logs=...
    #[arg(long = "path.logs", value_name = "FOLDER")]
    logs: Option<String>,
    /// Go on if a module, dataset, output or processor is configured that cannot run. Short for
    /// -E strict=false.
    #[arg(long)]
    allow_inactive: bool,
}

#[derive(Args, Debug)]
pub(super) struct RunArguments {
    #[command(flatten)]
    pub(super) source: SourceArguments,
    /// Programs that observe sockets: auto, fentry, kprobe, cgroup or tracefs. Short for -E socket.hooks=...
    #[arg(long, value_name = "SET")]
    pub(super) hooks: Option<String>,
    /// Type information to use instead of the kernel's own. Short for -E socket.btf=...
    #[arg(long, value_name = "FILE")]
    pub(super) btf: Option<String>,
    /// Stop after this long, such as 10s or 1m30s [default: run until SIGTERM or SIGINT].
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(super) duration: Option<Duration>,
    /// Append documents to this file rather than to where the configuration sends them.
    #[arg(long, value_name = "FILE")]
    pub(super) output_file: Option<PathBuf>,
}

impl SourceArguments {
    /// The sources, before those changes that have options of their own elsewhere.
    pub(super) fn sources(&self) -> Sources {
        let mut overrides: Vec<Override> =
            self.settings.iter().map(|argument| Override::from_argument(argument)).collect();
        for (option, key, value) in [
            ("--path.home", "path.home", &self.home),
            ("--path.config", "path.config", &self.config),
            ("--path.data", "path.data", &self.data),
            ("--path.logs", "path.logs", &self.logs),
        ] {
            let change = value.as_deref().map(|value| Override::from_option(option, key, value));
            overrides.extend(change);
        }
        if self.allow_inactive {
            overrides.push(Override::from_option("--allow-inactive", STRICT, "false"));
        }
        let folder = self.config.as_ref().or(self.home.as_ref()).map(PathBuf::from);
        Sources { files: self.files.clone(), folder, overrides }
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text)
        .filter(|duration| !duration.is_zero())
        .ok_or_else(|| "allowed: a duration above 0, such as 10s, 1m30s or 250ms".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use sensor::HookSet;

    #[test]
    fn the_definition_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn the_help_names_every_hook_set() {
        let mut command = Arguments::command();
        let run = command.find_subcommand_mut("run").unwrap();
        let help = run.render_long_help().to_string();
        let about = help.split("--hooks").nth(1).unwrap().split("--btf").next().unwrap();
        for set in
            [HookSet::Auto, HookSet::Fentry, HookSet::Kprobe, HookSet::Cgroup, HookSet::Tracefs]
        {
            assert!(about.contains(set.name()), "{set}");
        }
    }

    #[test]
    fn everything_can_be_typed() {
        let line = "socket-agent -v run -c a.yml -E a=b -E c=d --hooks kprobe --btf b.btf \
                    --duration 1m30s --output-file o -e";
        let arguments = Arguments::try_parse_from(line.split_whitespace()).unwrap();
        assert_eq!(arguments.logging.verbose, 1);
        let Command::Run(run) = arguments.command else { panic!("another command") };
        assert_eq!(run.duration, Some(Duration::from_secs(90)));
        let sources = run.source.sources();
        assert_eq!(sources.files, [PathBuf::from("a.yml")]);
        assert_eq!((sources.folder, sources.overrides.len()), (None, 2));
        let line = "socket-agent test config -c a.yml -c b*.yml --path.home /h --path.config /c \
                    --path.data /d --path.logs /l --allow-inactive";
        let arguments = Arguments::try_parse_from(line.split_whitespace()).unwrap();
        let Command::Test(Test::Config(source)) = arguments.command else { panic!("another") };
        let sources = source.sources();
        assert_eq!(sources.files, [PathBuf::from("a.yml"), PathBuf::from("b*.yml")]);
        assert_eq!((sources.folder, sources.overrides.len()), (Some("/c".into()), 5));
        for line in ["socket-agent", "socket-agent fly", "socket-agent run --duration 0s"] {
            assert!(Arguments::try_parse_from(line.split_whitespace()).is_err(), "{line}");
        }
    }
}
