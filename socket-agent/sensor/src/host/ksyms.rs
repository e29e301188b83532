//! Addresses of kernel functions, from `/proc/kallsyms`.

use std::{
    collections::HashMap,
    fs::File,
    io::{self, BufRead, BufReader},
    ops::Range,
};

use super::{facility::Probe, sysctl};

const KALLSYMS: &str = "/proc/kallsyms";

/// Why there are no addresses.
#[derive(Debug, thiserror::Error)]
pub enum KsymsError {
    /// The file cannot be read.
    #[error("{KALLSYMS}: {0}; use a kernel with CONFIG_KALLSYMS=y")]
    Unreadable(#[from] io::Error),
    /// The kernel shows zeros to this process.
    #[error("{KALLSYMS}: addresses are hidden, {reason}; {remedy}")]
    Hidden {
        /// Reason.
        reason: String,
        /// Remedy.
        remedy: &'static str,
    },
}

/// Functions of the kernel, those that were asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Symbols {
    /// Distinct addresses of the whole kernel, sorted.
    addresses: Vec<u64>,
    /// First address of each name that was asked for.
    named: HashMap<String, u64>,
}

/// Reads the functions among `names` that this kernel has. Takes some tens of milliseconds.
///
/// # Errors
/// The file is missing, or shows no addresses to this process.
pub fn read(names: &[&str]) -> Result<Symbols, KsymsError> {
    let symbols = parse(BufReader::new(File::open(KALLSYMS)?), names)?;
    if symbols.addresses.is_empty() {
        Err(hidden(sysctl::read("kernel/kptr_restrict").as_deref()))
    } else {
        Ok(symbols)
    }
}

/// Why addresses are hidden: of the setting `kernel.kptr_restrict` two hides them from everybody, with whatever
/// capabilities.
fn hidden(restrict: Option<&str>) -> KsymsError {
    let remedy = match restrict {
        Some("2") => "sysctl kernel.kptr_restrict=1",
        _ => "run as root, or with CAP_SYSLOG",
    };
    let reason = format!("kptr_restrict {}", restrict.unwrap_or("unknown"));
    KsymsError::Hidden { reason, remedy }
}

impl Symbols {
    /// Address of a function's entry.
    pub fn address(&self, name: &str) -> Option<u64> {
        self.named.get(name).copied()
    }

    /// From a function's entry to the next symbol behind it. Parts that the compiler has moved out
    /// (`.cold`, `.part`) are not in it.
    pub fn range(&self, name: &str) -> Option<Range<u64>> {
        let start = self.address(name)?;
        let next = self.addresses.partition_point(|address| *address <= start);
        Some(start..*self.addresses.get(next)?)
    }

    /// The first of several names that this kernel has.
    pub fn first_of<'n>(&self, names: &[&'n str]) -> Option<&'n str> {
        names.iter().copied().find(|name| self.named.contains_key(*name))
    }
}

/// Lines are `address type name`, and `[module]` for those of modules.
///
/// Only text symbols count. The lines of modules bound the ranges but are not asked for by name: a
/// module may have a function of the same name.
fn parse(lines: impl BufRead, names: &[&str]) -> io::Result<Symbols> {
    let mut symbols = Symbols::default();
    for line in lines.lines() {
        let line = line?;
        let mut fields = line.split_ascii_whitespace();
        let (Some(address), Some(kind), Some(name)) = (fields.next(), fields.next(), fields.next())
        else {
            continue;
        };
        let Ok(address) = u64::from_str_radix(address, 16) else { continue };
        if address == 0 || !matches!(kind, "t" | "T" | "w" | "W") {
            continue;
        }
        symbols.addresses.push(address);
        if fields.next().is_none() && names.contains(&name) {
            symbols.named.entry(name.to_owned()).or_insert(address);
        }
    }
    symbols.addresses.sort_unstable();
    symbols.addresses.dedup();
    Ok(symbols)
}

pub(super) fn probe() -> Probe {
    let restrict = sysctl::read("kernel/kptr_restrict").unwrap_or_else(|| "unknown".to_owned());
    match read(&[]) {
        Ok(symbols) => {
            let count = symbols.addresses.len();
            Probe::available(format!("{count} functions, kptr_restrict {restrict}"))
        }
        Err(KsymsError::Hidden { reason, remedy }) => {
            Probe::missing(format!("addresses are hidden, {reason}"), remedy)
        }
        Err(KsymsError::Unreadable(error)) => Probe::missing(
            format!("{KALLSYMS}: {error}"),
            "use a kernel with CONFIG_KALLSYMS=y, and mount /proc",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINES: &str = "\
ffffffff81000000 T _stext
ffffffff81000400 t tcp_v4_rcv
ffffffff81000400 T tcp_v4_alias
ffffffff81000300 T earlier
ffffffff81000480 D data_in_between
ffffffff81000500 T tcp_v6_rcv
ffffffff81000700 t last
ffffffffc0000000 t module_function\t[nf]
ffffffffc0000100 t tcp_v4_connect\t[nf]
not a line
";

    #[test]
    fn addresses_and_ranges() {
        let names = ["tcp_v4_rcv", "tcp_v6_rcv", "tcp_v4_connect", "gone", "data_in_between"];
        let symbols = parse(LINES.as_bytes(), &names).unwrap();
        assert_eq!(symbols.address("tcp_v4_rcv"), Some(0xffff_ffff_8100_0400));
        assert_eq!(symbols.range("tcp_v4_rcv"), Some(0xffff_ffff_8100_0400..0xffff_ffff_8100_0500));
        assert_eq!(symbols.address("tcp_v4_connect"), None, "a module's own function");
        assert_eq!(symbols.address("data_in_between"), None);
        assert_eq!(symbols.address("last"), None, "not asked for");
        assert_eq!(symbols.first_of(&["gone", "tcp_v6_rcv", "tcp_v4_rcv"]), Some("tcp_v6_rcv"));
        assert_eq!(symbols.first_of(&["gone"]), None);
    }

    #[test]
    fn a_capability_is_no_remedy_where_nobody_is_shown_addresses() {
        let text = |restrict| hidden(restrict).to_string();
        assert!(text(Some("2")).ends_with("kptr_restrict 2; sysctl kernel.kptr_restrict=1"));
        assert!(!text(Some("2")).contains("CAP_SYSLOG"));
        assert!(text(Some("1")).contains("CAP_SYSLOG"));
    }

    #[test]
    fn hidden_addresses_are_none() {
        let zeros = "0000000000000000 T _stext\n0000000000000000 t tcp_v4_rcv\n";
        assert_eq!(parse(zeros.as_bytes(), &["tcp_v4_rcv"]).unwrap(), Symbols::default());
    }
}
