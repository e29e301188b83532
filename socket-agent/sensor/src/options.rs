//! Settings of the sensor: what it observes, with which programs, into which tables.

use std::{fmt, path::PathBuf, time::Duration};

/// Default of `state.period`.
const STATE_PERIOD: Duration = Duration::from_secs(12 * 60 * 60);

/// Sets of programs that observe sockets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HookSet {
    /// The best that this kernel can attach.
    #[default]
    Auto,
    /// BTF trampolines: kernel 5.8 or newer, on arm64 6.4.
    Fentry,
    /// Kprobes.
    Kprobe,
    /// Cgroup programs and tracepoints.
    Cgroup,
    /// Kprobes through tracefs and perf, without eBPF.
    Tracefs,
}

/// Which sockets are reported when they open and close, beside their flows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SocketEvents {
    /// No events.
    Off,
    /// Those that wait for whoever comes: TCP listeners and bound UDP sockets.
    #[default]
    Listeners,
    /// TCP connections too.
    All,
}

/// How the records of eBPF programs leave the kernel (`socket.record_buffer`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RecordBuffer {
    /// The first of the others that can be had.
    #[default]
    Auto,
    /// A ring buffer (5.8).
    Ring,
    /// The rings of perf events, one for each CPU. The `kprobe` set only.
    Perf,
}

/// Entries of the kernel's tables, each at least 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tables {
    /// Sockets with traffic: TCP connections and the first peer of each UDP socket.
    pub flows: u32,
    /// Further peers of UDP sockets.
    pub peers: u32,
    /// Listeners and bound UDP sockets.
    pub owners: u32,
    /// TCP handshakes under way.
    pub pending: u32,
    /// Closed connections whose last packets are still awaited.
    pub late: u32,
    /// Closed flows that wait because the ring is full.
    pub spill: u32,
    /// Bytes of the ring buffer; a power of two, at least one page.
    pub ring: u32,
}

/// Settings that only the `tracefs` set has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TracefsConfig {
    /// `socket.tracefs_path`: where tracefs is; `None` looks for it, and mounts it if need be.
    pub path: Option<PathBuf>,
    /// `socket.perf_queue_size`: records that may wait for older ones of other CPUs.
    pub perf_queue_size: u32,
    /// `socket.lost_queue_size`: notices of lost samples that may be told.
    pub lost_queue_size: u32,
    /// `socket.ring_size_exponent`: pages of each CPU's ring, as a power of two.
    pub ring_size_exponent: u32,
    /// `socket.clock_max_drift`.
    pub clock_max_drift: Duration,
    /// `socket.clock_sync_period`.
    pub clock_sync_period: Duration,
    /// `socket.guess_timeout`.
    pub guess_timeout: Duration,
}

/// Settings of the socket dataset (`socket.*`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SocketConfig {
    /// `socket.hooks`.
    pub hooks: HookSet,
    /// `socket.btf`: type information to use instead of the kernel's own.
    pub btf: Option<PathBuf>,
    /// `socket.enable_ipv6`: `None` means whatever the kernel has.
    pub enable_ipv6: Option<bool>,
    /// `socket.flow_inactive_timeout`.
    pub flow_inactive_timeout: Duration,
    /// `socket.flow_termination_timeout`.
    pub flow_termination_timeout: Duration,
    /// `socket.socket_inactive_timeout`.
    pub socket_inactive_timeout: Duration,
    /// `socket.flow_report_period`: zero means that flows are reported only at their end.
    pub flow_report_period: Duration,
    /// `socket.clock_sync_period`.
    pub clock_sync_period: Duration,
    /// `socket.clock_max_drift`.
    pub clock_max_drift: Duration,
    /// `socket.events`.
    pub events: SocketEvents,
    /// `state.period` of the module, for all its datasets.
    pub module_state_period: Duration,
    /// `socket.state.period`, which takes precedence.
    pub own_state_period: Option<Duration>,
    /// Table sizes.
    pub tables: Tables,
    /// `socket.record_buffer`.
    pub buffer: RecordBuffer,
    /// Options of the `tracefs` set.
    pub tracefs: TracefsConfig,
    /// `socket.dns.*`.
    pub dns: DnsConfig,
}

/// Where DNS packets come from (`socket.dns.type`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DnsType {
    /// The first of the others that can be had.
    #[default]
    Auto,
    /// Cgroup programs, which see what sockets send and receive.
    Cgroup,
    /// Packet sockets in each network namespace.
    AfPacket,
}

/// Names from DNS traffic (`socket.dns.*`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsConfig {
    /// `socket.dns.enabled`.
    pub enabled: bool,
    /// `socket.dns.type`.
    pub kind: DnsType,
    /// `socket.dns.names`.
    pub names: u32,
    /// `socket.dns.minimum_ttl`.
    pub minimum_ttl: Duration,
    /// `socket.dns.af_packet.interface`: a name, or [`DnsConfig::ANY`].
    pub interface: String,
    /// `socket.dns.af_packet.snaplen`: bytes; `None` for what costs nothing where packets are seen.
    pub snaplen: Option<u32>,
    /// `socket.dns.af_packet.ring`: bytes.
    pub ring: u32,
    /// `socket.dns.af_packet.namespaces`.
    pub namespaces: u32,
}

// === impl HookSet ===

impl HookSet {
    /// The names that [`HookSet::from_name`] knows, best set first after `auto`.
    pub const NAMES: &'static [&'static str] = &["auto", "fentry", "kprobe", "cgroup", "tracefs"];

    /// The name used in configuration, on the command line and in the log.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Fentry => "fentry",
            Self::Kprobe => "kprobe",
            Self::Cgroup => "cgroup",
            Self::Tracefs => "tracefs",
        }
    }

    /// The set of this name; `None` for a name that is not in [`HookSet::NAMES`].
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Auto, Self::Fentry, Self::Kprobe, Self::Cgroup, Self::Tracefs]
            .into_iter()
            .find(|set| set.name() == name)
    }
}

impl fmt::Display for HookSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

// === impl Tables ===

impl Default for Tables {
    fn default() -> Self {
        Self {
            flows: 131_072,
            peers: 65_536,
            owners: 32_768,
            pending: 65_536,
            late: 65_536,
            spill: 65_536,
            ring: 4 << 20,
        }
    }
}

// === impl TracefsConfig ===

impl Default for TracefsConfig {
    fn default() -> Self {
        Self {
            path: None,
            perf_queue_size: 4096,
            lost_queue_size: 128,
            ring_size_exponent: 7,
            clock_max_drift: Duration::from_millis(100),
            clock_sync_period: Duration::from_secs(10),
            guess_timeout: Duration::from_secs(15),
        }
    }
}

// === impl SocketConfig ===

impl Default for SocketConfig {
    fn default() -> Self {
        Self {
            hooks: HookSet::Auto,
            btf: None,
            enable_ipv6: None,
            flow_inactive_timeout: Duration::from_secs(30),
            flow_termination_timeout: Duration::from_secs(5),
            socket_inactive_timeout: Duration::from_secs(60),
            flow_report_period: Duration::from_secs(300),
            clock_sync_period: Duration::from_secs(10),
            clock_max_drift: Duration::from_millis(100),
            events: SocketEvents::default(),
            buffer: RecordBuffer::default(),
            module_state_period: STATE_PERIOD,
            own_state_period: None,
            tables: Tables::default(),
            tracefs: TracefsConfig::default(),
            dns: DnsConfig::default(),
        }
    }
}

// === impl DnsType ===

impl DnsType {
    /// The names that [`DnsType::from_name`] knows.
    pub const NAMES: &'static [&'static str] = &["auto", "cgroup", "af_packet"];

    /// The type of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "auto" => Some(Self::Auto),
            "cgroup" => Some(Self::Cgroup),
            "af_packet" => Some(Self::AfPacket),
            _ => None,
        }
    }
}

// === impl DnsConfig ===

impl DnsConfig {
    /// Stands for all interfaces, those to come included.
    pub const ANY: &str = "any";

    /// Whether programs are to hand over what sockets send and receive: not for one interface only.
    pub fn from_sockets(&self) -> bool {
        let wanted = match self.kind {
            DnsType::Auto => self.interface == Self::ANY,
            DnsType::Cgroup => true,
            DnsType::AfPacket => false,
        };
        self.enabled && wanted
    }
}

impl Default for DnsConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            kind: DnsType::Auto,
            names: 65_536,
            minimum_ttl: Duration::from_secs(300),
            interface: Self::ANY.to_owned(),
            snaplen: None,
            ring: 4 << 20,
            namespaces: 128,
        }
    }
}

impl SocketConfig {
    /// Time between two reports of all open sockets; `None` for no such reports.
    pub fn state_period(&self) -> Option<Duration> {
        let period = self.own_state_period.unwrap_or(self.module_state_period);
        (!period.is_zero()).then_some(period)
    }
}

// === impl RecordBuffer ===

impl RecordBuffer {
    /// The names that [`RecordBuffer::from_name`] knows.
    pub const NAMES: &'static [&'static str] = &["auto", "ring", "perf"];

    /// The choice of this name; `None` for a name that is not in [`RecordBuffer::NAMES`].
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "auto" => Some(Self::Auto),
            "ring" => Some(Self::Ring),
            "perf" => Some(Self::Perf),
            _ => None,
        }
    }
}

// === impl SocketEvents ===

impl SocketEvents {
    /// The names that [`SocketEvents::from_name`] knows.
    pub const NAMES: &'static [&'static str] = &["off", "listeners", "all"];

    /// The choice of this name; `None` for a name that is not in [`SocketEvents::NAMES`].
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "off" => Some(Self::Off),
            "listeners" => Some(Self::Listeners),
            "all" => Some(Self::All),
            _ => None,
        }
    }
}
