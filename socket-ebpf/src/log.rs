//! Lines that programs log, for whoever works on them: the agent shows them with `-d ebpf`. Built with the
//! feature `log` alone; without it nothing is left of them.

/// Logs a line: the format of `aya_log_ebpf::debug`, without a context.
#[cfg(feature = "log")]
macro_rules! debug {
    ($format:literal $(, $value:expr)* $(,)?) => {
        aya_log_ebpf::debug!((), target: "ebpf", $format $(, $value)*)
    };
}

/// No log line in builds without `log`.
#[cfg(not(feature = "log"))]
macro_rules! debug {
    ($format:literal $(, $value:expr)* $(,)?) => {
        if false {
            $(let _ = &$value;)*
        }
    };
}

pub(crate) use debug;
