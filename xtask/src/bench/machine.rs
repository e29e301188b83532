//! Facts about the machine that figures were measured on.

use std::{fs, thread};

use serde::Serialize;

#[derive(Serialize)]
pub(super) struct Machine {
    pub(super) processor: String,
    pub(super) processors: usize,
    pub(super) kernel: String,
    /// Processes that wanted to run, over the last minute before: above the number of processors,
    /// the figures are worse than those of a quiet machine.
    pub(super) load: String,
}

impl Machine {
    pub(super) fn this() -> Self {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        let model = |text: &str| {
            let line = text.lines().find(|line| line.starts_with("model name"))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        };
        Self {
            processor: model(&read("/proc/cpuinfo")).unwrap_or_else(|| "unknown".to_owned()),
            processors: thread::available_parallelism().map_or(1, usize::from),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            load: read("/proc/loadavg").split(' ').next().unwrap_or_default().to_owned(),
        }
    }

    pub(super) fn line(&self) -> String {
        let Self { processor, processors, kernel, load } = self;
        format!("{processor}, {processors} processors, kernel {kernel}, load {load} before the run")
    }
}
