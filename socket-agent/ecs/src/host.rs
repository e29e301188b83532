//! `host`: the machine that the agent watches.

use std::{
    collections::BTreeSet,
    fs,
    net::{IpAddr, Ipv6Addr},
    path::Path,
};

use nix::{ifaddrs::getifaddrs, net::if_::InterfaceFlags, sys::socket::SockaddrStorage};
use serde::Serialize;

use super::Os;

/// Addresses that are listed. Every document carries them.
const ADDRESSES_MAX: usize = 32;

/// The machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Host {
    /// Name of the host, as in `hostname`.
    pub name: String,
    /// Output of `hostname`.
    pub hostname: String,
    /// Result of [`machine_id`].
    pub id: String,
    /// `x86_64`, `aarch64`, ... as in uname(2).
    pub architecture: String,
    /// Whether the agent itself runs in a container; not in ECS, but in the documents of Beats.
    pub containerized: bool,
    /// The operating system.
    pub os: Os,
    /// Addresses of interfaces that are up, without loopback and link-local ones.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub ip: BTreeSet<IpAddr>,
    /// Hardware addresses of the interfaces that `ip` is from.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub mac: BTreeSet<String>,
}

impl Host {
    /// Of the system with this root directory, on the running kernel and in the agent's network
    /// namespace. Addresses are as they are now.
    pub fn read(root: &Path) -> Self {
        let uname = nix::sys::utsname::uname().ok();
        let text = |part: Option<&std::ffi::OsStr>| {
            part.map(|part| part.to_string_lossy().into_owned()).unwrap_or_default()
        };
        let hostname = text(uname.as_ref().map(|uname| uname.nodename()));
        let (ip, mac) = addresses();
        Self {
            name: hostname.clone(),
            hostname,
            id: machine_id(root),
            architecture: text(uname.as_ref().map(|uname| uname.machine())),
            containerized: is_containerized(Path::new("/")),
            os: Os::read(root, text(uname.as_ref().map(|uname| uname.release()))),
            ip,
            mac,
        }
    }
}

/// The id of the machine with this root directory: systemd's, D-Bus's, or the firmware's, without
/// dashes; else the id of this boot, so that it is never empty.
pub fn machine_id(root: &Path) -> String {
    [
        "etc/machine-id",
        "var/lib/dbus/machine-id",
        "sys/class/dmi/id/product_uuid",
        "proc/sys/kernel/random/boot_id",
    ]
    .into_iter()
    .filter_map(|path| fs::read_to_string(root.join(path)).ok())
    .map(|text| text.trim().replace('-', "").to_lowercase())
    // systemd writes `uninitialized` into the file of an image; firmware without an id has zeros.
    .find(|id| id.len() == 32 && is_hex(id) && id.bytes().any(|byte| byte != b'0'))
    .unwrap_or_default()
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// By the marks that container engines leave in the file system.
fn is_containerized(root: &Path) -> bool {
    [".dockerenv", "run/.containerenv", "run/systemd/container"]
        .into_iter()
        .any(|mark| root.join(mark).exists())
        || std::env::var_os("KUBERNETES_SERVICE_HOST").is_some()
}

fn addresses() -> (BTreeSet<IpAddr>, BTreeSet<String>) {
    let (mut ips, mut macs) = (BTreeSet::new(), BTreeSet::new());
    let Ok(interfaces) = getifaddrs() else { return (ips, macs) };
    let mut with_address = BTreeSet::new();
    let mut hardware = Vec::new();
    for interface in interfaces {
        let Some(address) = &interface.address else { continue };
        if let Some(link) = address.as_link_addr() {
            hardware.extend(link.addr().map(|mac| (interface.interface_name, mac)));
        } else if interface.flags.contains(InterfaceFlags::IFF_UP)
            && ips.len() < ADDRESSES_MAX
            && let Some(ip) = ip_of(address).filter(is_reportable)
        {
            ips.insert(ip);
            with_address.insert(interface.interface_name);
        }
    }
    let named = hardware
        .into_iter()
        .filter(|(name, mac)| with_address.contains(name) && mac.iter().any(|byte| *byte != 0));
    macs.extend(named.map(|(_, mac)| mac_text(mac)));
    (ips, macs)
}

fn ip_of(address: &SockaddrStorage) -> Option<IpAddr> {
    let v4 = address.as_sockaddr_in().map(|address| IpAddr::V4(address.ip()));
    v4.or_else(|| address.as_sockaddr_in6().map(|address| IpAddr::V6(address.ip())))
}

fn is_reportable(ip: &IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => !ip.is_loopback() && !ip.is_link_local() && !ip.is_unspecified(),
        IpAddr::V6(ip) => *ip != Ipv6Addr::LOCALHOST && !ip.is_unicast_link_local(),
    }
}

/// The form of RFC 7042.
fn mac_text(mac: [u8; 6]) -> String {
    let [a, b, c, d, e, f] = mac;
    format!("{a:02X}-{b:02X}-{c:02X}-{d:02X}-{e:02X}-{f:02X}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(root: &Path, path: &str, text: &str) {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[test]
    fn the_first_usable_machine_id_counts() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        assert_eq!(machine_id(root), "");
        write(root, "proc/sys/kernel/random/boot_id", "e0f7c1a2-3b4c-4d5e-8f90-a1b2c3d4e5f6\n");
        assert_eq!(machine_id(root), "e0f7c1a23b4c4d5e8f90a1b2c3d4e5f6");
        write(root, "sys/class/dmi/id/product_uuid", "00000000-0000-0000-0000-000000000000\n");
        assert_eq!(machine_id(root), "e0f7c1a23b4c4d5e8f90a1b2c3d4e5f6");
        write(root, "sys/class/dmi/id/product_uuid", "4C4C4544-0042-3510-8052-B4C04F4D3132\n");
        assert_eq!(machine_id(root), "4c4c45440042351080 52b4c04f4d3132".replace(' ', ""));
        write(root, "etc/machine-id", "uninitialized\n");
        assert_eq!(machine_id(root), "4c4c45440042351080 52b4c04f4d3132".replace(' ', ""));
        write(root, "etc/machine-id", "b3531219b5b4449eadbec59d47945649\n");
        assert_eq!(machine_id(root), "b3531219b5b4449eadbec59d47945649");
    }

    #[test]
    fn marks_of_containers() {
        let root = tempfile::tempdir().unwrap();
        let before = is_containerized(root.path());
        write(root.path(), "run/.containerenv", "");
        assert!(is_containerized(root.path()));
        assert!(!before || std::env::var_os("KUBERNETES_SERVICE_HOST").is_some());
    }

    #[test]
    fn this_host() {
        let host = Host::read(Path::new("/"));
        let hostname = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
        assert_eq!(host.hostname, hostname.trim());
        let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
        assert_eq!(host.os.kernel, release.trim());
        let machine = std::process::Command::new("uname").arg("-m").output().unwrap().stdout;
        assert_eq!(host.architecture, String::from_utf8(machine).unwrap().trim());
        assert!(!host.ip.iter().any(IpAddr::is_loopback), "{:?}", host.ip);
        assert_eq!(mac_text([0, 0x1b, 0xff, 1, 2, 3]), "00-1B-FF-01-02-03");
    }
}
