//! The kernel's own count of what crosses a network namespace.

use std::{fs, ops::Sub};

use anyhow::{Context, Result};

use crate::net::Netns;

/// IPv4 packets and their total lengths, of the whole namespace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wire {
    pub(crate) packets_out: u64,
    pub(crate) bytes_out: u64,
    pub(crate) packets_in: u64,
    pub(crate) bytes_in: u64,
}

impl Sub for Wire {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            packets_out: self.packets_out - before.packets_out,
            bytes_out: self.bytes_out - before.bytes_out,
            packets_in: self.packets_in - before.packets_in,
            bytes_in: self.bytes_in - before.bytes_in,
        }
    }
}

impl Wire {
    /// Reads `/proc/net/snmp` and `/proc/net/netstat` of a namespace.
    pub(crate) fn of(netns: &Netns) -> Result<Self> {
        let read = |name: &'static str| {
            netns.run(move || {
                let path = format!("/proc/thread-self/net/{name}");
                fs::read_to_string(&path).with_context(|| format!("reading {path}"))
            })
        };
        let (snmp, netstat) = (read("snmp")?, read("netstat")?);
        Ok(Self {
            packets_out: field(&snmp, "Ip", "OutRequests")?,
            bytes_out: field(&netstat, "IpExt", "OutOctets")?,
            packets_in: field(&snmp, "Ip", "InReceives")?,
            bytes_in: field(&netstat, "IpExt", "InOctets")?,
        })
    }
}

/// A number of a table that has a line of names and a line of values for each group.
fn field(table: &str, group: &str, name: &str) -> Result<u64> {
    let mut lines = table.lines().filter_map(|line| line.strip_prefix(group)?.strip_prefix(": "));
    let (names, values) = (lines.next().unwrap_or(""), lines.next().unwrap_or(""));
    let mut pairs = names.split(' ').zip(values.split(' '));
    let (_, value) =
        pairs.find(|(known, _)| *known == name).with_context(|| format!("no {group}.{name}"))?;
    value.parse().with_context(|| format!("{group}.{name} is {value:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_second_line_by_the_names_of_the_first() {
        let table = "Ip: Forwarding OutRequests\nIp: 1 42\nIpExt: OutOctets\nIpExt: 7\n";
        assert_eq!(field(table, "Ip", "OutRequests").expect("there"), 42);
        assert_eq!(field(table, "IpExt", "OutOctets").expect("there"), 7);
        assert!(field(table, "Ip", "OutOctets").is_err());
    }
}
