//! Options of the outputs.

use std::path::PathBuf;

use config::rows::{Kind::*, Setting, not_yet, used};

/// `output.console`.
#[derive(Default)]
pub(in crate::settings) struct Console {
    pub(in crate::settings) disabled: bool,
}

/// `output.file`.
#[derive(Default)]
pub(in crate::settings) struct FileOutput {
    pub(in crate::settings) disabled: bool,
    pub(in crate::settings) path: Option<PathBuf>,
    pub(in crate::settings) filename: Option<String>,
}

/// Keys of `output.console`.
#[rustfmt::skip]
pub(in crate::settings) static CONSOLE: &[Setting<Console>] = &[
    used("output.console.enabled", "true", Switch(|c, v| c.disabled = !v), "Whether this output is used."),
    not_yet("output.console.pretty", "false", Switch(|_, _| ()), "Whether documents take several lines."),
    not_yet("output.console.codec.json.pretty", "false", Switch(|_, _| ()), "Whether documents take several lines."),
    not_yet("output.console.codec.json.escape_html", "false", Switch(|_, _| ()), "Whether <, > and & are escaped."),
];

/// Keys of `output.file`.
#[rustfmt::skip]
pub(in crate::settings) static FILE: &[Setting<FileOutput>] = &[
    used("output.file.enabled", "true", Switch(|c, v| c.disabled = !v), "Whether this output is used."),
    used("output.file.path", "", Path(|c, v| c.path = Some(v)), "Directory of the file."),
    used("output.file.filename", "socket-agent.ndjson", Text(|c, v| c.filename = Some(v.to_owned())), "Name of the file."),
    not_yet("output.file.rotate_every_kb", "10240", Count(1, u32::MAX, |_, _| ()), "Size at which a new file begins."),
    not_yet("output.file.number_of_files", "7", Count(2, 1024, |_, _| ()), "Files that are kept."),
    not_yet("output.file.permissions", "0600", Text(|_, _| ()), "Mode of new files."),
    not_yet("output.file.rotate_on_startup", "true", Switch(|_, _| ()), "Whether each start begins a new file."),
    not_yet("output.file.codec.json.pretty", "false", Switch(|_, _| ()), "Whether documents take several lines."),
    not_yet("output.file.codec.json.escape_html", "false", Switch(|_, _| ()), "Whether <, > and & are escaped."),
];
