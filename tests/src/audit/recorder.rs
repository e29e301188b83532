//! Real records for test data: `cargo xtask vm --kernel NAME -- scenarios audit-record`.

use std::{collections::BTreeMap, path::Path};

use anyhow::{Context, Result};

use super::watch;

/// The records of all events of [`watch`] in the form of auditd's log, event by event.
///
/// # Errors
/// As there, or a document without records.
pub fn record(program: &Path) -> Result<String> {
    let stopped = watch(program)?;
    let mut events: BTreeMap<u64, String> = BTreeMap::new();
    for document in &stopped.documents {
        let number = document.number("event.sequence").context("an event without a number")?;
        let text = document.text("event.original");
        let event = events.entry(number).or_default();
        event.push_str(text.trim_end());
        event.push('\n');
    }
    Ok(events.into_values().collect())
}
