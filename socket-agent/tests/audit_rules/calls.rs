//! System calls as audit user space numbers them.

use std::process::Command;

use socket_agent::audit::names::{Arch, syscall};

/// ausyscall has one table for PowerPC of 32 and of 64 bits.
fn is_of_the_narrow_partner(arch: Arch, call: &str, number: u32) -> bool {
    arch == Arch::Ppc64Le && syscall::number(Arch::Ppc, call) == Some(number)
}

#[test]
fn every_call_of_ausyscall_has_the_same_number() {
    let names = ["x86_64", "i386", "aarch64", "arm", "ppc64le", "s390x", "s390"];
    for name in names {
        let arch = Arch::from_name(name).unwrap();
        let Ok(output) = Command::new("ausyscall").args([name, "--dump"]).output() else {
            println!("skipped: ausyscall cannot be run: install auditd");
            return;
        };
        let text = String::from_utf8(output.stdout).unwrap();
        let rows = text.lines().filter_map(|line| line.split_once('\t'));
        let mut compared = 0;
        let mut different = Vec::new();
        for (number, call) in rows {
            let number: u32 = number.parse().unwrap();
            let ours = (syscall::number(arch, call), syscall::auditctl_name(arch, number));
            if ours != (Some(number), Some(call)) && !is_of_the_narrow_partner(arch, call, number) {
                different.push((call, number, ours));
            }
            compared += 1;
        }
        assert!(different.is_empty(), "{name}: {different:?}");
        assert!(compared > 200, "{name}: only {compared} calls in {text}");
        println!("{name}: {compared} calls");
    }
}
