//! Writing the probes and opening their events.

use std::{
    collections::HashMap,
    ffi::{CStr, CString},
    fs,
    path::PathBuf,
};

use super::{
    format::{self, Layout},
    group::Group,
    mount::Tracing,
    offsets::Offsets,
    probe::{
        Abi, Field, Line, Missing, Observation, PROBES, Probe, Shapes, TRACEPOINTS, Task, fetch,
    },
};
use crate::{
    Degraded, SensorError,
    perf::{Rings, RingsError},
};

/// What the sensor needs to know of the host beside its configuration.
#[derive(Clone, Debug)]
pub struct Options {
    /// Whether IPv6 is watched.
    pub ipv6: bool,
    /// Address range of `tcp_v4_rcv` and `tcp_v6_rcv`; zeroes if unknown.
    pub receive_functions: [[u64; 2]; 2],
    /// Address range of `tcp_v6_do_rcv` on kernels where it asks the socket filter once more, which
    /// those before about 4.10 do; zeroes on others.
    pub second_filter: [u64; 2],
    /// Whether the packet that ends a handshake passes its listener by: kernel 4.4. In older ones it waits
    /// there for a process that holds the listener, behind the socket filter, which has been asked for it.
    pub listener_passed_by: bool,
    /// Whether the clock of a CPU's records may run back, and nothing comes between two of them: before 4.15
    /// probes run with interrupts disabled.
    pub keep_rings: bool,
    /// How often the kernel counts a failed read among the hits that a probe was skipped for: never since 5.14.
    pub misses_per_failed_read: u64,
    /// Where offsets that were found by trying are kept.
    pub state: PathBuf,
}

impl Options {
    fn want(&self, probe: &Probe) -> bool {
        (self.ipv6 || !probe.ipv6)
            && (self.listener_passed_by || probe.observation != Observation::Child)
    }
}

/// Way in which a record is read.
#[derive(Debug)]
pub(super) struct Kind {
    /// Name of the probe, or path of the tracepoint.
    pub(super) event: &'static str,
    pub(super) observation: Observation,
    pub(super) layout: Layout,
}

/// Writes probes of one group and opens them.
pub(super) struct Installer<'i> {
    pub(super) tracing: &'i Tracing,
    pub(super) group: &'i mut Group,
    pub(super) rings: &'i mut Rings,
    pub(super) offsets: &'i Offsets,
    pub(super) shapes: &'i Shapes,
    pub(super) options: &'i Options,
}

const SET: &str = "tracefs";
/// Words of the stack among which the caller of the caller is.
pub(super) const STACK: usize = 8;

impl Installer<'_> {
    /// Installs all probes and tracepoints of the set. Returns how the records of each are read, by
    /// the number of their kind, and what could not be had.
    ///
    /// # Errors
    ///
    /// A probe that the set cannot do without is refused.
    pub(super) fn all(&mut self) -> Result<(HashMap<u16, Kind>, Vec<Degraded>), SensorError> {
        let (mut kinds, mut degraded) = (HashMap::new(), Vec::new());
        let abi = Abi::of_this_machine().map_err(|reason| SensorError::Hook {
            set: SET,
            hook: "probes".into(),
            reason,
            remedy: "use a build for the kernel's architecture, or another set",
        })?;
        let options = self.options;
        for probe in PROBES.iter().filter(|probe| options.want(probe)) {
            match (self.probe(abi, probe), probe.missing) {
                (Ok((id, kind)), _) => {
                    kinds.insert(id, kind);
                }
                (Err(reason), Missing::Worse(effect)) => {
                    let hook = format!("{} at {}", probe.event, probe.functions.join(" or "));
                    degraded.push(Degraded { hook, reason, effect });
                }
                (Err(reason), Missing::Fatal) => {
                    return Err(SensorError::Hook {
                        set: SET,
                        hook: format!("{} at {}", probe.event, probe.functions.join(" or ")),
                        reason,
                        remedy: "use another set, or a kernel with CONFIG_KPROBE_EVENTS=y that is \
                                 not locked down",
                    });
                }
            }
        }
        for tracepoint in TRACEPOINTS {
            let directory = self.tracing.file("events").join(tracepoint.path);
            let filter = self.filter(tracepoint.observation);
            match self.open(tracepoint.path, &directory, tracepoint.observation, filter.as_deref())
            {
                Ok((id, kind)) => {
                    kinds.insert(id, kind);
                }
                Err(reason) => degraded.push(Degraded {
                    hook: format!("tracepoint {}", tracepoint.path),
                    reason,
                    effect: tracepoint.effect,
                }),
            }
        }
        Ok((kinds, degraded))
    }

    /// Puts a probe on the first of its functions that the kernel has.
    fn probe(&mut self, abi: Abi, probe: &Probe) -> Result<(u16, Kind), String> {
        let mut reason = String::new();
        for function in probe.functions {
            let shapes = Shapes {
                dropped_buffer: usize::from(*function == "sk_skb_reason_drop"),
                stack: if self.options.second_filter == [0, 0] { 0 } else { STACK },
                ..self.shapes.clone()
            };
            let mut line = Line::new(abi, self.offsets);
            if !fetch(&mut line, probe, &shapes) {
                return Err("offsets that it needs are not known".into());
            }
            let kinds: &[&str] = match probe.returns {
                true if takes_maximum(self.tracing) => &["r1024", "r"],
                true => &["r"],
                false => &["p"],
            };
            let written = kinds.iter().find_map(|kind| {
                let text = line.text(kind, &self.group.full_name(probe.event), function);
                match self.group.add(probe.event, &text) {
                    Ok(()) => Some(()),
                    Err(error) => {
                        log::debug!(target: "sensor", "{text}: {error}");
                        reason = format!("{function}: {error}");
                        None
                    }
                }
            });
            if written.is_none() {
                continue;
            }
            let directory = self.group.description(probe.event);
            let filter = self.filter(probe.observation);
            let opened = self.open(probe.event, &directory, probe.observation, filter.as_deref());
            if opened.is_err() {
                // What cannot be opened is of no use; nothing else can be done if it stays.
                let _ = self.group.remove(probe.event);
            }
            return opened;
        }
        Err(reason)
    }

    /// Opens a trace event on all CPUs.
    fn open(
        &mut self,
        event: &'static str,
        directory: &std::path::Path,
        observation: Observation,
        filter: Option<&CStr>,
    ) -> Result<(u16, Kind), String> {
        let id =
            format::id(directory).map_err(|error| format!("{}: {error}", directory.display()))?;
        let file = directory.join("format");
        let text =
            fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
        let layout = Layout::parse(&text, renamed(observation));
        let opened = self.rings.add(id.into(), filter);
        let refused = |error: RingsError| error.to_string();
        // A filter only saves work.
        match opened {
            Err(error) if filter.is_some() => {
                log::debug!(target: "sensor", "{error}");
                self.rings.add(id.into(), None).map_err(refused)?;
            }
            other => other.map_err(refused)?,
        }
        Ok((id, Kind { event, observation, layout }))
    }

    /// Lets pass only drops of the TCP receive path, and packets for IP sockets.
    fn filter(&self, observation: Observation) -> Option<CString> {
        let text = match observation {
            Observation::Dropped | Observation::DropTracepoint => {
                let location = Field::Location.name();
                let ranges = self.options.receive_functions.iter().filter(|[from, _]| *from != 0);
                ranges
                    .map(|[from, to]| format!("({location} >= {from:#x} && {location} < {to:#x})"))
                    .collect::<Vec<_>>()
                    .join(" || ")
            }
            Observation::Received => {
                let family = Field::Family.name();
                format!("{family} == {} || {family} == {}", libc::AF_INET, libc::AF_INET6)
            }
            _ => String::new(),
        };
        CString::new(text).ok().filter(|filter| !filter.is_empty())
    }
}

/// Whether the kernel can be told how many calls that have not returned it is to follow: since 4.12.
/// Older ones take the number for a missing name and put the probe into a group of their own.
fn takes_maximum(tracing: &Tracing) -> bool {
    let readme = fs::read_to_string(tracing.file("README")).unwrap_or_default();
    readme.contains("r[maxactive]")
}

/// Names of the fields of tracepoints.
fn renamed(observation: Observation) -> &'static [(&'static str, Field)] {
    match observation {
        Observation::Task(Task::ExecPath) => &[("filename", Field::Filename)],
        Observation::Task(Task::Moved) => {
            &[("dst_root", Field::DstRoot), ("dst_id", Field::DstId), ("pid", Field::Pid)]
        }
        Observation::DropTracepoint => &[("skbaddr", Field::Skb), ("location", Field::Location)],
        _ => &[],
    }
}
