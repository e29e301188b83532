//! `agent`: who writes the documents.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde::Serialize;
use uuid::Uuid;

use linux::random;

/// Name space of agent ids that are made from a machine id.
const NAMESPACE: Uuid = Uuid::from_u128(0x6f0f_6e0e_90e1_4d35_a1f4_1c7a_0f25_93b8);
/// `agent.type` of all documents.
const KIND: &str = "socket-agent";
/// File below the state directory.
const FILE: &str = "agent.id";

/// The agent and this run of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Agent {
    /// The same for every run on this host.
    pub id: String,
    /// New for every run.
    pub ephemeral_id: String,
    /// Name of the host.
    pub name: String,
    /// Name of the host; not in ECS, but in the documents of Beats.
    pub hostname: String,
    /// `socket-agent`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Version of the agent.
    pub version: &'static str,
}

/// Where [`Agent::id`] is from. The display form is fit for the log.
#[derive(Debug, thiserror::Error)]
pub enum IdSource {
    /// Read from the state directory.
    #[error("agent id read from {}", .0.display())]
    Stored(PathBuf),
    /// New; the state directory had none.
    #[error("new agent id written to {}", .0.display())]
    Created(PathBuf),
    /// The state directory cannot be written, so the id is made from the machine id. It is as
    /// stable as that.
    #[error(
        "agent id derived from the machine id, as {} cannot be written: {source}; \
         make the directory writable to keep an id of its own", path.display()
    )]
    Derived {
        /// File that was to be written.
        path: PathBuf,
        /// Why it was not.
        source: io::Error,
    },
}

impl Agent {
    /// The agent of this host, with its id from a state directory. Never fails.
    pub fn load(state: &Path, hostname: &str, machine_id: &str) -> (Self, IdSource) {
        let (id, source) = load_id(&state.join(FILE), machine_id);
        (Self::new(id, random::uuid(), hostname), source)
    }

    /// As [`load`](Self::load), but writes nothing: an agent without a stored id has the one that is
    /// derived from the machine id.
    pub fn look(state: &Path, hostname: &str, machine_id: &str) -> Self {
        let id = stored_id(&state.join(FILE)).unwrap_or_else(|| derived_id(machine_id));
        Self::new(id, random::uuid(), hostname)
    }

    /// An agent from its ids and the name of its host.
    pub fn new(id: Uuid, ephemeral_id: Uuid, hostname: &str) -> Self {
        Self {
            id: id.to_string(),
            ephemeral_id: ephemeral_id.to_string(),
            name: hostname.to_owned(),
            hostname: hostname.to_owned(),
            kind: KIND,
            version: env!("CARGO_PKG_VERSION"),
        }
    }
}

fn load_id(path: &Path, machine_id: &str) -> (Uuid, IdSource) {
    // What is not an id, such as the file of a host whose disk ran full, is written anew.
    if let Some(id) = stored_id(path) {
        return (id, IdSource::Stored(path.to_owned()));
    }
    let id = random::uuid();
    match store_id(path, id) {
        Ok(()) => (id, IdSource::Created(path.to_owned())),
        Err(source) => {
            (derived_id(machine_id), IdSource::Derived { path: path.to_owned(), source })
        }
    }
}

fn stored_id(path: &Path) -> Option<Uuid> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// The id of an agent that cannot keep one: random where the machine has none either.
fn derived_id(machine_id: &str) -> Uuid {
    match machine_id {
        "" => random::uuid(),
        known => Uuid::new_v5(&NAMESPACE, known.as_bytes()),
    }
}

/// Through a rename: a reader never sees half an id.
fn store_id(path: &Path, id: Uuid) -> io::Result<()> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    let new = path.with_extension(format!("new-{}", std::process::id()));
    let stored = fs::write(&new, format!("{id}\n")).and_then(|()| fs::rename(&new, path));
    if stored.is_err() {
        // The first error is the one that tells; a leftover does no harm.
        let _ = fs::remove_file(&new);
    }
    stored
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_outlives_the_run() {
        let state = tempfile::tempdir().unwrap();
        let directory = state.path().join("lib/agent");
        let (first, source) = Agent::load(&directory, "host", "machine");
        assert!(matches!(source, IdSource::Created(_)), "{source}");
        let (second, source) = Agent::load(&directory, "host", "machine");
        assert!(matches!(source, IdSource::Stored(_)), "{source}");
        assert_eq!(first.id, second.id);
        assert_ne!(first.ephemeral_id, second.ephemeral_id);
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 1, "no leftovers");

        assert_eq!(Agent::look(&directory, "host", "machine").id, first.id);

        fs::write(directory.join(FILE), "").unwrap();
        let (third, source) = Agent::load(&directory, "host", "machine");
        assert!(matches!(source, IdSource::Created(_)), "{source}");
        assert_ne!(third.id, first.id);
    }

    #[test]
    fn without_a_place_to_write_the_machine_gives_the_id() {
        // Also root cannot make a directory below a file.
        let file = tempfile::NamedTempFile::new().unwrap();
        let (first, source) = Agent::load(file.path(), "host", "machine");
        let message = source.to_string();
        assert!(matches!(source, IdSource::Derived { .. }), "{message}");
        assert!(message.contains("agent.id") && message.contains("writable"), "{message}");
        assert_eq!(Agent::load(file.path(), "host", "machine").0.id, first.id);
        let nothing = tempfile::tempdir().unwrap();
        assert_eq!(Agent::look(nothing.path(), "host", "machine").id, first.id);
        assert_eq!(
            fs::read_dir(nothing.path()).unwrap().count(),
            0,
            "who only looks writes nothing"
        );
        assert_ne!(Agent::load(file.path(), "host", "other").0.id, first.id);
        assert_ne!(Agent::load(file.path(), "host", "").0.id, first.id);
    }
}
