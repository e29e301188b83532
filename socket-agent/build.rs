//! Finds the eBPF object that is embedded in the agent.

use std::{env, path::PathBuf};

fn main() {
    if env::var_os("CARGO_FEATURE_EBPF").is_none() {
        return;
    }
    let object = env::var_os("SOCKET_EBPF_OBJECT").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target/bpf/socket-ebpf.o"),
        PathBuf::from,
    );
    println!("cargo:rerun-if-env-changed=SOCKET_EBPF_OBJECT");
    println!("cargo:rerun-if-changed={}", object.display());
    assert!(
        object.exists(),
        "{}: no eBPF object to embed; run `cargo xtask build`, which makes it",
        object.display()
    );
    println!("cargo:rustc-env=SOCKET_EBPF_OBJECT_PATH={}", object.display());
}
