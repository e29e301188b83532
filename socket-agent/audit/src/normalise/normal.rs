//! A normalised event.

use std::borrow::Cow;

use super::{Data, Endpoint, File, Ids, PathRecord, Process, Users, text::Text};
use crate::{
    reassembly::Event,
    records::{Kind, SocketAddress},
};

/// Outcome of an event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Outcome {
    /// The action succeeded.
    Success,
    /// The action failed.
    Failure,
    /// No record has the outcome.
    #[default]
    Unknown,
}

/// A name, and another that says more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pair<'a> {
    /// The name.
    pub primary: Option<Text<'a>>,
    /// The name that says more.
    pub secondary: Option<Text<'a>>,
}

/// Object of an action.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Object<'a> {
    /// `file`, `socket`, `user-session`, ...
    pub what: Option<&'static str>,
    /// Names of the object.
    pub name: Pair<'a>,
}

/// What an event means. Text is borrowed from the event's records where that is possible.
#[derive(Clone, Debug)]
pub struct Normal<'a> {
    /// The event that was normalised.
    pub event: &'a Event,
    /// The type of the record that says most.
    pub kind: Kind,
    /// What happened: `executed`, `logged-in`, ...; `None` for system calls that say little.
    pub action: Option<&'static str>,
    /// Values of `event.category`.
    pub categories: Vec<&'static str>,
    /// Values of `event.type`.
    pub types: Vec<&'static str>,
    /// Something that ought not to happen.
    pub is_alert: bool,
    /// Outcome of the action.
    pub outcome: Outcome,
    /// Login session: a number, or `unset`.
    pub session: Option<Text<'a>>,
    /// Keys of the rules that asked for it.
    pub tags: Vec<Text<'a>>,
    /// Who did it: the login user, and the user it was done as.
    pub actor: Pair<'a>,
    /// Object of the action.
    pub object: Object<'a>,
    /// By what means: a program, mostly.
    pub how: Option<Text<'a>>,
    /// User and group ids of the process.
    pub ids: Ids<'a>,
    /// Whose they are in ECS.
    pub users: Users<'a>,
    /// The security label of the process.
    pub label: Option<Text<'a>>,
    /// The process.
    pub process: Process<'a>,
    /// The file that it is about.
    pub file: Option<File<'a>>,
    /// All paths that the kernel looked up.
    pub paths: Vec<PathRecord<'a>>,
    /// Source of network traffic.
    pub source: Option<Endpoint<'a>>,
    /// Destination of network traffic.
    pub destination: Option<Endpoint<'a>>,
    /// `ingress` or `egress`.
    pub direction: Option<&'static str>,
    /// The address of a socket call.
    pub socket: Option<SocketAddress>,
    /// All other fields.
    pub data: Data<'a>,
    /// What of it is known not to be all there: `arguments`, `records`.
    pub incomplete: Vec<&'static str>,
    /// Descriptions of what was unusual about the records.
    pub warnings: Vec<Cow<'static, str>>,
}

impl Outcome {
    /// In the words of audit: `success` or `fail`.
    pub const fn result(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "fail",
            Self::Unknown => "unknown",
        }
    }

    /// In the words of ECS.
    pub const fn outcome(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Unknown => "unknown",
        }
    }
}
