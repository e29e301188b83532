//! Other programs that watch traffic.

use std::process::Command;

use crate::{apt, command, paths::Paths, pins::Pins, ui, vm::SharedFile};

/// A peer, and how it is run. All of them watch the loopback interface and keep nothing.
struct Peer {
    name: &'static str,
    words: &'static [&'static str],
}

/// Those that need no kprobes.
const HERE: [Peer; 7] = [
    Peer { name: "tcpdump", words: &["tcpdump", "-i", "lo", "-n", "-w", "/dev/null"] },
    Peer { name: "softflowd", words: &["softflowd", "-i", "lo", "-d", "-n", "127.0.0.1:9995"] },
    Peer {
        name: "pmacct",
        words: &[
            "pmacctd",
            "-i",
            "lo",
            "-P",
            "memory",
            "-c",
            "src_host,dst_host,src_port,dst_port,proto",
        ],
    },
    Peer { name: "argus", words: &["argus", "-i", "lo", "-w", "/dev/null"] },
    Peer { name: "tcplife", words: &["/usr/sbin/tcplife"] },
    Peer { name: "tcptop", words: &["/usr/sbin/tcptop", "-C", "1"] },
    Peer { name: "tcptracer", words: &["/usr/sbin/tcptracer"] },
];
/// Those that run from a bare file system, with their libraries.
const GUEST: [&str; 3] = ["tcplife", "tcptop", "tcptracer"];

/// Installs them; what cannot be installed is reported and left out later.
pub(super) fn install(paths: &Paths, pins: &Pins) {
    for package in &pins.debian.peers {
        let package = std::slice::from_ref(package);
        if let Err(error) =
            apt::install_stopped(paths, package, "the bench measures it beside the agent")
        {
            ui::note(&format!("left out: {error:#}"));
        }
    }
}

/// Arguments of the test runner that name them.
pub(super) fn arguments(guest: bool) -> Vec<String> {
    let peers = HERE.iter().filter(|peer| !guest || GUEST.contains(&peer.name));
    peers
        .flat_map(|peer| ["--peer".to_owned(), format!("{}={}", peer.name, peer.words.join(" "))])
        .collect()
}

/// What a guest needs to run them: the programs and the libraries that they are linked with.
pub(super) fn files() -> Vec<SharedFile> {
    let mut files: Vec<SharedFile> = Vec::new();
    for peer in HERE.iter().filter(|peer| GUEST.contains(&peer.name)) {
        let Some(program) = peer.words.first() else { continue };
        let Ok(libraries) = command::output(Command::new("ldd").arg(program)) else { continue };
        let paths = libraries.split_whitespace().filter(|word| word.starts_with('/'));
        for path in std::iter::once(*program).chain(paths) {
            if files.iter().all(|file| file.guest != path) {
                files.push(SharedFile { host: path.into(), guest: path.to_owned() });
            }
        }
    }
    files
}
