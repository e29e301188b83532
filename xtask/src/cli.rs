//! The command line.

use std::{path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand};

use crate::{test::TURNS, vm::SharedFile};

/// Build, run and test the sensor. Each command first gets what it needs, and says what and why.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) task: Task,
}

#[derive(Subcommand)]
pub(crate) enum Task {
    /// Install everything that any other command needs.
    Setup,
    /// Build the eBPF object and, as static programs, the agent and the test runner.
    Build(BuildOptions),
    /// Build, then run `socket-agent run ARGUMENTS` as root.
    Run {
        /// Passed on to `socket-agent run`.
        #[arg(last = true)]
        arguments: Vec<String>,
    },
    /// Boot a kernel in an emulator and run one command in it. Meanwhile the machine talks to itself
    /// once a second, on TCP port 7, so that there is a flow to see. The command's output and exit
    /// status become this command's; 124 means that time ran out, 125 that the machine failed.
    Vm(VmOptions),
    /// Build, then put the agent under load on this machine and check its books: docs/load.md. Needs
    /// root, some minutes and some gigabytes of memory.
    Load(LoadOptions),
    /// Check, build and test, in some 15 minutes: with all hook sets on one kernel in virtual machines. `--all`
    /// takes up to 45 and tests everything. The last line counts what passed, failed and was skipped.
    Test(TestOptions),
    /// Feed any bytes to what reads text from outside, and see that it holds.
    Fuzz(FuzzOptions),
    /// Run what README.md tells a newcomer to run in a Debian root of its own, and write down how it
    /// went: docs/fresh-machine.md. Needs root, and takes as long as the tests.
    Fresh(FreshOptions),
    /// Measure this project beside its peers, which are installed for it.
    Bench(BenchOptions),
}

#[derive(Args)]
pub(crate) struct BuildOptions {
    /// Cargo profile of the agent and the test runner.
    #[arg(long, value_name = "NAME", default_value = "release")]
    pub(crate) profile: String,
    /// A target of Rust: aarch64-unknown-linux-gnu, or, without the eBPF sets,
    /// i686-unknown-linux-gnu; this machine's if none is given.
    #[arg(long, value_name = "TARGET")]
    pub(crate) target: Option<String>,
    /// Build programs that log, for kernels from 5.8 on, and an agent that shows their lines with `-d ebpf`.
    /// Other objects have no data sections, which this one needs.
    #[arg(long)]
    pub(crate) ebpf_log: bool,
}

#[derive(Args)]
pub(crate) struct VmOptions {
    /// A kernel of ci/kernels.toml.
    #[arg(long, value_name = "NAME", required_unless_present = "kernel_image")]
    pub(crate) kernel: Option<String>,
    /// Any bzImage (for aarch64 Image) instead; modules are taken from ../lib/modules/RELEASE beside it, if they are there.
    #[arg(long, value_name = "FILE", conflicts_with = "kernel")]
    pub(crate) kernel_image: Option<PathBuf>,
    /// The machine's architecture: x86_64, aarch64 or i386.
    #[arg(long, default_value = "x86_64")]
    pub(crate) arch: String,
    /// Wall time after which the machine is ended.
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = humantime::parse_duration)]
    pub(crate) timeout: Duration,
    /// Appended to the kernel's command line.
    #[arg(long, value_name = "EXTRA", default_value = "")]
    pub(crate) cmdline: String,
    /// Copies a file into the guest; may be given several times.
    #[arg(long = "file", value_name = "HOST:GUEST")]
    pub(crate) files: Vec<SharedFile>,
    /// Virtual processors.
    #[arg(long, value_name = "COUNT", default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=64))]
    pub(crate) cpus: u8,
    /// Memory in MiB.
    #[arg(long, value_name = "MIB", default_value_t = 1536, value_parser = clap::value_parser!(u32).range(128..))]
    pub(crate) memory: u32,
    /// Cargo profile of the programs that run in it.
    #[arg(long, value_name = "NAME", default_value = "release")]
    pub(crate) profile: String,
    /// The command; `socket-agent`, `scenarios` and what `--file` puts in /bin can be run.
    #[arg(last = true, required = true)]
    pub(crate) command: Vec<String>,
}

#[derive(Args)]
pub(crate) struct LoadOptions {
    /// A fraction of the load: 1 is all of it.
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub(crate) divisor: u32,
    /// Only loads whose name contains this.
    #[arg(long, value_name = "TEXT")]
    pub(crate) filter: Option<String>,
}

#[derive(Args, Clone)]
pub(crate) struct TestOptions {
    /// Everything: loads, fuzzing, licences and known faults of dependencies, and the kernels and
    /// architectures whose turn it is today.
    #[arg(long)]
    pub(crate) all: bool,
    /// Take this turn in place of today's.
    #[arg(long, value_name = "NUMBER", requires = "all", value_parser = clap::value_parser!(u32).range(1..=i64::from(TURNS)))]
    pub(crate) turn: Option<u32>,
    /// Leave out the virtual machines.
    #[arg(long)]
    pub(crate) no_vm: bool,
    /// Virtual machines at a time. More than processors, as scenarios wait much; unit tests and native
    /// scenarios take the place of one.
    #[arg(long, value_name = "COUNT", default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=64))]
    pub(crate) machines: u8,
    /// Run only the tests and scenarios whose name contains this, or one of several texts separated by
    /// commas; checks are left out.
    #[arg(long, value_name = "TEXT")]
    pub(crate) filter: Option<String>,
    /// Run only this virtual machine of ci/kernels.toml, whatever the turn, and nothing else; may be
    /// repeated.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["no_vm", "turn"])]
    pub(crate) vm: Vec<String>,
}

#[derive(Args)]
pub(crate) struct FuzzOptions {
    /// Which target; all of them if none is named.
    #[arg(value_name = "NAME")]
    pub(crate) target: Option<String>,
    /// For how long; targets run side by side.
    #[arg(long, value_name = "TIME", default_value = "1m", value_parser = humantime::parse_duration)]
    pub(crate) time: Duration,
}

#[derive(Args)]
pub(crate) struct FreshOptions {
    /// Leave the root in target/fresh.
    #[arg(long)]
    pub(crate) keep: bool,
}

impl Default for FuzzOptions {
    fn default() -> Self {
        Self { target: None, time: Duration::from_secs(60) }
    }
}

#[derive(Args)]
pub(crate) struct BenchOptions {
    /// Which: all, traffic (rr, crr, stream, udp), agent (startup, idle, flows), audit, or one of those
    /// in parentheses.
    #[arg(value_name = "NAME", default_value = "all")]
    pub(crate) name: String,
    /// Hook sets of the agent, separated by commas; the one that the agent prefers if none is named,
    /// in a virtual machine all of them.
    #[arg(long, value_name = "SETS", value_delimiter = ',')]
    pub(crate) hooks: Vec<String>,
    /// Measure other programs that watch traffic in the same run.
    #[arg(long)]
    pub(crate) peers: bool,
    /// Measure another build of the agent in the same run, as that of the commit before.
    #[arg(long, value_name = "FILE", conflicts_with = "kernel")]
    pub(crate) beside: Option<PathBuf>,
    /// Run in a virtual machine with this kernel of ci/kernels.toml; only ratios mean something there.
    #[arg(long, value_name = "NAME")]
    pub(crate) kernel: Option<String>,
    /// Runs of each kind of traffic with each program, every one between two with none.
    #[arg(long, value_name = "COUNT", default_value_t = 9, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) pairs: u32,
    /// How long such a run lasts.
    #[arg(long, value_name = "TIME", default_value = "500ms", value_parser = humantime::parse_duration)]
    pub(crate) time: Duration,
    /// How long connections are made as fast as one processor can, with an eye on losses.
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = humantime::parse_duration)]
    pub(crate) sustained: Duration,
    /// Events in the logs of the audit bench.
    #[arg(long, value_name = "COUNT", default_value_t = 100_000)]
    pub(crate) events: u64,
    /// Runs of each program of the audit bench, of which the best counts.
    #[arg(long, value_name = "COUNT", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) runs: u32,
    /// Leave docs/bench as it is.
    #[arg(long)]
    pub(crate) no_save: bool,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_turn_is_one_of_all() {
        for line in ["x test --turn 1", "x test --all --turn 0", "x test --all --turn 4"] {
            assert!(Cli::try_parse_from(line.split(' ')).is_err(), "{line}");
        }
        assert!(Cli::try_parse_from("x test --all --turn 3".split(' ')).is_ok());
    }

    #[test]
    fn a_vm_needs_a_kernel_and_a_command() {
        for line in
            ["x vm -- true", "x vm --kernel 6.1", "x vm --kernel 6.1 --kernel-image f -- true"]
        {
            assert!(Cli::try_parse_from(line.split(' ')).is_err(), "{line}");
        }
        assert!(Cli::try_parse_from("x vm --kernel 6.1 -- true --flag".split(' ')).is_ok());
    }
}
