//! Lines that the programs log, in builds for it: `cargo xtask build --ebpf-log`.

use aya::{Ebpf, EbpfLoader};
use aya_log::{EbpfLogger, LEVEL};
use log::Log;

/// The target of the programs' lines, as `-d` names it.
const TARGET: &str = "ebpf";
/// What programs compare the level of a line with: none, errors alone, ... , all.
const LEVELS: [u8; 6] = [0, 1, 2, 3, 4, 5];

/// The ring of lines.
pub(super) struct ProgramLog(Option<EbpfLogger<&'static dyn Log>>);

// === impl ProgramLog ===

impl ProgramLog {
    /// Has programs log what is to be shown, and nothing else. An object that does not log stays as it is.
    pub(super) fn set_level(loader: &mut EbpfLoader<'_>) {
        let shown = |level: &log::Level| log::log_enabled!(target: TARGET, *level);
        let level = log::Level::iter().take_while(shown).count();
        loader.override_global(LEVEL, &LEVELS[level], false);
    }

    /// Opens the ring; not that of an object that does not log.
    pub(super) fn open(ebpf: &mut Ebpf) -> Self {
        let logger = EbpfLogger::init(ebpf).inspect_err(|error| {
            log::debug!(target: TARGET, "these programs do not log: {error}");
        });
        Self(logger.ok())
    }

    /// Logs the lines that wait.
    pub(super) fn flush(&mut self) {
        if let Some(logger) = &mut self.0 {
            logger.flush();
        }
    }
}
