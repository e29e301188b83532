//! cargo-deny: licences, bans, sources and known faults of the dependencies.

use std::path::PathBuf;

use anyhow::{Context as _, Result};

use crate::{command, linker, paths::Paths, pins::Pins, ui};

/// Finds cargo-deny of the pinned version, or builds it.
pub(crate) fn ensure(paths: &Paths, pins: &Pins) -> Result<PathBuf> {
    let deny = paths.tool("cargo-deny");
    let version = &pins.tools.cargo_deny;
    if linker::is_version(&deny, version) {
        return Ok(deny);
    }
    ui::install(&format!("cargo-deny {version}"), "it checks the dependencies (some minutes)");
    let mut cargo = command::cargo();
    cargo
        .args(["install", "cargo-deny", "--locked", "--force", "--version", version, "--root"])
        .arg(paths.tools())
        // It runs for seconds: what the compiler would take to make it fast is not worth it.
        .envs(
            [("OPT_LEVEL", "1"), ("LTO", "off"), ("CODEGEN_UNITS", "16")]
                .map(|(name, value)| (format!("CARGO_PROFILE_RELEASE_{name}"), value)),
        )
        .env_remove("CARGO_TARGET_DIR");
    command::run_logged(&mut cargo, &paths.log("cargo-deny")).context("build cargo-deny")?;
    Ok(deny)
}
