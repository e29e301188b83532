//! The parts of a document that stay the same while the agent runs.

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use super::{Agent, Host, Writer};
use crate::key;

/// The version of the Elastic Common Schema that documents follow. Every field in use is that old;
/// the tests check documents against the newest one.
pub const ECS_VERSION: &str = "9.0.0";

/// Parts of documents that describe host and agent, serialised once.
#[derive(Clone, Debug)]
pub struct Metadata {
    /// `@metadata`.
    pub metadata: Box<RawValue>,
    /// `agent`.
    pub agent: Box<RawValue>,
    /// `ecs`.
    pub ecs: Box<RawValue>,
    /// `host`.
    pub host: Box<RawValue>,
    /// `service` of the system module.
    pub service: Box<RawValue>,
    /// Output of `hostname`.
    pub hostname: Box<str>,
}

/// `@metadata`: what Beats tell an ingest pipeline about themselves.
#[derive(Serialize)]
struct Beat {
    beat: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
    version: &'static str,
}

#[derive(Serialize)]
struct Ecs {
    version: &'static str,
}

#[derive(Serialize)]
struct Service {
    #[serde(rename = "type")]
    kind: &'static str,
}

impl Metadata {
    /// From what was read at the start; make a new one when the host's addresses change.
    ///
    /// # Errors
    ///
    /// None in practice: the types have nothing that JSON cannot express.
    pub fn new(host: &Host, agent: &Agent) -> serde_json::Result<Self> {
        let beat = Beat { beat: agent.kind, kind: "_doc", version: agent.version };
        Ok(Self {
            metadata: to_raw_value(&beat)?,
            agent: to_raw_value(agent)?,
            ecs: to_raw_value(&Ecs { version: ECS_VERSION })?,
            host: to_raw_value(host)?,
            service: to_raw_value(&Service { kind: "system" })?,
            hostname: host.hostname.as_str().into(),
        })
    }

    /// `host`, `agent` and `ecs`: where a document comes from, at the end of each.
    pub fn encode_origin(&self, writer: &mut impl Writer) {
        writer.raw(key!("host"), &self.host);
        writer.raw(key!("agent"), &self.agent);
        writer.raw(key!("ecs"), &self.ecs);
    }
}
