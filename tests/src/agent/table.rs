//! The agent's tables in the kernel, opened behind its back: to lose what no load loses at will.

use std::{
    fs, io,
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
};

use anyhow::{Context, Result, ensure};

const BPF_MAP_LOOKUP_ELEM: libc::c_long = 1;
const BPF_MAP_UPDATE_ELEM: libc::c_long = 2;
const BPF_MAP_GET_NEXT_KEY: libc::c_long = 4;
const BPF_OBJ_GET_INFO_BY_FD: libc::c_long = 15;

/// `union bpf_attr`, element operations. The third word is a value or the next key.
#[repr(C)]
#[derive(Default)]
struct Element {
    map: u32,
    reserved: u32,
    key: u64,
    value: u64,
    flags: u64,
}

/// `union bpf_attr`, information about an object.
#[repr(C)]
struct Info {
    fd: u32,
    length: u32,
    info: u64,
}

/// The beginning of `struct bpf_map_info`.
#[repr(C)]
#[derive(Default)]
struct MapInfo {
    kind: u32,
    id: u32,
    key_size: u32,
    value_size: u32,
    max_entries: u32,
    flags: u32,
    name: [u8; 16],
}

fn bpf<T>(command: libc::c_long, attributes: &mut T) -> io::Result<()> {
    // SAFETY: the structures are laid out as the kernel expects them, with valid pointers in them.
    let result =
        unsafe { libc::syscall(libc::SYS_bpf, command, attributes as *mut T, size_of::<T>()) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// A hash table of another process. Single elements can be had of one with keys of eight bytes.
#[derive(Debug)]
pub struct Table {
    fd: OwnedFd,
    key_size: usize,
    value_size: usize,
}

impl Table {
    /// The table of this name that the process has open.
    ///
    /// # Errors
    /// It has none, or a kernel before 5.6 does not hand out descriptors.
    pub fn of(pid: u32, name: &str) -> Result<Self> {
        // SAFETY: plain numbers; the result is checked.
        let process = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
        ensure!(process >= 0, "opening process {pid}: {}", io::Error::last_os_error());
        // SAFETY: a descriptor that the kernel has just made.
        let process = unsafe { OwnedFd::from_raw_fd(process as i32) };
        for entry in fs::read_dir(format!("/proc/{pid}/fd"))? {
            let entry = entry?;
            let target = fs::read_link(entry.path()).unwrap_or_default();
            if !target.to_string_lossy().contains("bpf-map") {
                continue;
            }
            let number: i32 = entry.file_name().to_string_lossy().parse()?;
            // SAFETY: as above.
            let fd =
                unsafe { libc::syscall(libc::SYS_pidfd_getfd, process.as_raw_fd(), number, 0) };
            if fd < 0 {
                continue;
            }
            // SAFETY: as above.
            let fd = unsafe { OwnedFd::from_raw_fd(fd as i32) };
            let info = info(&fd)?;
            if info.name.split(|byte| *byte == 0).next() == Some(name.as_bytes()) {
                let (key_size, value_size) = (info.key_size as usize, info.value_size as usize);
                return Ok(Self { fd, key_size, value_size });
            }
        }
        anyhow::bail!("process {pid} has no table {name}")
    }

    /// One value.
    pub fn get(&self, key: u64) -> Result<Option<Vec<u8>>> {
        self.has_short_keys()?;
        let mut value = vec![0; self.value_size];
        let at = value.as_mut_ptr() as u64;
        match self.element(BPF_MAP_LOOKUP_ELEM, &raw const key as u64, at) {
            Ok(()) => Ok(Some(value)),
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(None),
            Err(error) => Err(error).context("reading a table"),
        }
    }

    /// Puts a value in.
    pub fn put(&self, key: u64, value: &[u8]) -> Result<()> {
        self.has_short_keys()?;
        ensure!(value.len() == self.value_size, "a value of {} bytes", value.len());
        self.element(BPF_MAP_UPDATE_ELEM, &raw const key as u64, value.as_ptr() as u64)
            .context("writing a table")
    }

    /// All keys.
    pub fn keys(&self) -> Result<Vec<u64>> {
        self.has_short_keys()?;
        let keys = self.walk()?.into_iter().map(|key| key.try_into().map(u64::from_ne_bytes));
        keys.collect::<Result<_, _>>().map_err(|_| anyhow::anyhow!("keys of another length"))
    }

    /// Number of elements.
    pub fn count(&self) -> Result<usize> {
        Ok(self.walk()?.len())
    }

    fn walk(&self) -> Result<Vec<Vec<u8>>> {
        let mut keys: Vec<Vec<u8>> = Vec::new();
        loop {
            let mut next = vec![0; self.key_size];
            let last = keys.last().map_or(0, |key| key.as_ptr() as u64);
            match self.element(BPF_MAP_GET_NEXT_KEY, last, next.as_mut_ptr() as u64) {
                Ok(()) => keys.push(next),
                Err(error) if error.raw_os_error() == Some(libc::ENOENT) => return Ok(keys),
                Err(error) => return Err(error).context("walking a table"),
            }
        }
    }

    fn has_short_keys(&self) -> Result<()> {
        ensure!(self.key_size == 8, "a table with keys of {} bytes", self.key_size);
        Ok(())
    }

    fn element(&self, command: libc::c_long, key: u64, value: u64) -> io::Result<()> {
        let map = self.fd.as_raw_fd() as u32;
        bpf(command, &mut Element { map, key, value, ..Element::default() })
    }
}

fn info(fd: &OwnedFd) -> Result<MapInfo> {
    let mut info = MapInfo::default();
    let mut attributes = Info {
        fd: fd.as_raw_fd() as u32,
        length: size_of::<MapInfo>() as u32,
        info: &raw mut info as u64,
    };
    bpf(BPF_OBJ_GET_INFO_BY_FD, &mut attributes).context("asking about a table")?;
    Ok(info)
}
