//! Finds the eBPF objects that are embedded in the agent.

use std::{env, path::PathBuf};

/// Variable that names an object, what it is called below `target/bpf`, and the variable that the agent's
/// source reads.
const OBJECTS: [[&str; 3]; 2] = [
    ["SOCKET_EBPF_OBJECT", "socket-ebpf.o", "SOCKET_EBPF_OBJECT_PATH"],
    ["SOCKET_EBPF_EARLY_OBJECT", "socket-ebpf-early.o", "SOCKET_EBPF_EARLY_OBJECT_PATH"],
];

fn main() {
    if env::var_os("CARGO_FEATURE_EBPF").is_none() {
        return;
    }
    for [variable, file, found] in OBJECTS {
        let object = env::var_os(variable).map_or_else(
            || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target/bpf").join(file),
            PathBuf::from,
        );
        println!("cargo:rerun-if-env-changed={variable}");
        println!("cargo:rerun-if-changed={}", object.display());
        assert!(
            object.exists(),
            "{}: no eBPF object to embed; run `cargo xtask build`, which makes it",
            object.display()
        );
        println!("cargo:rustc-env={found}={}", object.display());
    }
}
