//! The object and its tables: fitted to the kernel, sized and opened.

use std::{borrow::Cow, os::fd::AsFd, path::Path};

use super::{
    capacity,
    features::{self, KERNEL_BTF},
    fit::fit_to,
    records::{self, PerfRings, Records, RingBuffer, Source},
    tables::{Table, Tables},
};
use crate::{RecordBuffer, SensorError, SocketConfig, btf::Types, error::one_line};
use aya::{
    Btf, BtfError, Ebpf, EbpfError, EbpfLoader, Endianness,
    maps::{Map, MapError},
};
use linux::Kernel;

/// The eBPF object, part of the agent.
pub static OBJECT: &[u8] = aya::include_bytes_aligned!(env!("SOCKET_EBPF_OBJECT_PATH"));

/// The eBPF object for kernels without ring buffers: programs of the `kprobe` set alone.
pub static EARLY_OBJECT: &[u8] = aya::include_bytes_aligned!(env!("SOCKET_EBPF_EARLY_OBJECT_PATH"));

/// Size of a ring that nothing is put into: a page, which the loader makes of it.
const UNUSED: u32 = 4096;

/// Things that one copy of a hook has dealt with and the other has not been shown yet: far more than there
/// are between two tracepoints of one event, so that what is left behind does not matter.
const NOTES: u32 = 8192;

/// Whether a task may be put aside in the midst of a tracepoint program: since 7.0 they are protected by a
/// read lock, no longer by preemption being disabled. Nothing else shows it.
pub(super) fn tasks_come_between() -> bool {
    Kernel::running().version() >= (7, 0)
}

/// Type information that both readers have read.
pub(super) struct Target {
    pub(super) btf: Btf,
    pub(super) types: Types,
}

/// The type information that the object is fitted to, if it is another than the kernel publishes.
pub(super) fn given_btf(
    file: Option<&Path>,
    types: Option<&[u8]>,
) -> Result<Option<Target>, SensorError> {
    let (place, bytes) = match (file, types) {
        (Some(path), _) => (path, Cow::Owned(features::read_file(path)?)),
        (None, Some(types)) => (Path::new(KERNEL_BTF), Cow::Borrowed(types)),
        (None, None) => return Ok(None),
    };
    let btf = Btf::parse(&bytes, Endianness::default()).map_err(|error| no_btf(place, &error))?;
    let types = Types::parse(bytes.into_owned()).ok_or_else(|| SensorError::Btf {
        place: place.into(),
        reason: "it is not BTF".into(),
        remedy: OTHER_BTF,
    })?;
    Ok(Some(Target { btf, types }))
}

const OTHER_BTF: &str = "give the BTF of the running kernel with --btf FILE";

pub(super) fn no_btf(place: &Path, error: &BtfError) -> SensorError {
    SensorError::Btf { place: place.into(), reason: one_line(error), remedy: OTHER_BTF }
}

/// The object for records that leave this way, fitted to a kernel.
pub(super) fn fitted(
    buffer: RecordBuffer,
    btf: &Btf,
    types: &Types,
) -> Result<Vec<u8>, SensorError> {
    let object = if buffer == RecordBuffer::Perf { EARLY_OBJECT } else { OBJECT };
    fit_to(object, btf, types).map_err(|reason| SensorError::Object {
        reason: format!("it cannot be fitted to this kernel: {reason}"),
        remedy:
            "use the set tracefs, which asks for less; a --btf file must be of the running kernel"
                .into(),
    })
}

/// Creates the maps of an object that has been fitted.
pub(super) fn load<'c>(
    loader: &mut EbpfLoader<'c>,
    object: &[u8],
    config: &'c SocketConfig,
    buffer: RecordBuffer,
) -> Result<Ebpf, SensorError> {
    let tables = &config.tables;
    loader
        .btf(None)
        .map_max_entries("FLOWS", tables.flows)
        .map_max_entries("PEERS", tables.peers)
        .map_max_entries("OWNERS", tables.owners)
        .map_max_entries("PENDING", tables.pending)
        .map_max_entries("LATE", tables.late)
        .map_max_entries("SPILL", tables.spill)
        .map_max_entries("HANDLED", if tasks_come_between() { NOTES } else { 1 });
    if buffer != RecordBuffer::Perf {
        let dns = if config.dns.from_sockets() { config.dns.ring } else { UNUSED };
        loader.map_max_entries("EVENTS", tables.ring).map_max_entries("DNS", dns);
    }
    loader.load(object).map_err(|error| match error {
        EbpfError::MapError(MapError::CreateError { ref io_error, .. })
            if matches!(io_error.raw_os_error(), Some(libc::ENOMEM | libc::E2BIG)) =>
        {
            SensorError::Memory { reason: one_line(&error), tables: capacity::describe(config) }
        }
        other => object_error(other),
    })
}

/// Where the records of the programs come out.
pub(super) fn open_records(
    ebpf: &Ebpf,
    config: &SocketConfig,
    buffer: RecordBuffer,
) -> Result<Records, SensorError> {
    const NAME: &str = "EVENTS";
    let source = if buffer == RecordBuffer::Perf {
        let Some(Map::PerfEventArray(map)) = ebpf.map(NAME) else { return Err(no_map(NAME)) };
        Source::Perf(Box::new(PerfRings::open(map.fd().as_fd(), &config.tracefs)?))
    } else {
        Source::Ring(open_ring(ebpf, NAME, records::LONGEST)?)
    };
    Ok(Records::new(source))
}

pub(super) fn object_error(error: impl std::error::Error) -> SensorError {
    let reason = one_line(&error);
    let remedy = if reason.contains("Operation not permitted") || reason.contains("os error 1)") {
        "run as root, or with CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN"
    } else {
        "run `socket-agent doctor`; a --btf file must be of the running kernel"
    };
    SensorError::Object { reason, remedy: remedy.into() }
}

pub(super) fn take_map(ebpf: &mut Ebpf, name: &'static str) -> Result<Map, SensorError> {
    ebpf.take_map(name).ok_or_else(|| no_map(name))
}

pub(super) fn no_map(name: &str) -> SensorError {
    SensorError::Object {
        reason: format!("it has no map {name}"),
        remedy: "build the agent again".into(),
    }
}

pub(super) fn open_ring(
    ebpf: &Ebpf,
    name: &'static str,
    longest: usize,
) -> Result<RingBuffer, SensorError> {
    // Borrowed, as programs that are loaded later name the map by its descriptor.
    let Some(Map::RingBuf(map)) = ebpf.map(name) else { return Err(no_map(name)) };
    let failed = |source| SensorError::Map { map: name, source };
    // The loader may have made it larger: a power of two, and whole pages.
    let size = map.info().map_err(object_error)?.max_entries();
    let fd = map.fd().as_fd().try_clone_to_owned().map_err(failed)?;
    RingBuffer::map(fd, size, longest).map_err(failed)
}

pub(super) fn open_tables(ebpf: &mut Ebpf) -> Result<Tables, SensorError> {
    let (counts, recovered) = (take_map(ebpf, "COUNTS")?, take_map(ebpf, "RECOVERED")?);
    Ok(Tables {
        flows: Table::open(take_map(ebpf, "FLOWS")?, "FLOWS")?,
        peers: Table::open(take_map(ebpf, "PEERS")?, "PEERS")?,
        owners: Table::open(take_map(ebpf, "OWNERS")?, "OWNERS")?,
        pending: Table::open(take_map(ebpf, "PENDING")?, "PENDING")?,
        late: Table::open(take_map(ebpf, "LATE")?, "LATE")?,
        spill: Table::open(take_map(ebpf, "SPILL")?, "SPILL")?,
        counts: counts.try_into().map_err(object_error)?,
        recovered: recovered.try_into().map_err(object_error)?,
    })
}
