//! Lines and what another parser reads in them.
//!
//! Records keep values as they came; what is a number there has its name here through
//! [`decode`]. There are no deliberate differences.

use std::fs;

use serde_json::Value;
use socket_agent::audit::{
    decode,
    records::{Key, Kind, Record, SecurityContext, SocketAddress, Text, arguments, parse_line},
};

use crate::shared::{files, folder};

#[test]
fn records_have_the_same_fields() {
    let Some(folder) = folder("auparse") else { return };
    for (name, path) in files(&folder, ".log") {
        let golden = fs::read(folder.join(format!("{name}.golden.json"))).unwrap();
        // Null stands for a line that is no record.
        let golden: Vec<Option<Value>> = serde_json::from_slice(&golden).unwrap();
        let golden: Vec<_> = golden.into_iter().flatten().collect();
        let log = fs::read(&path).unwrap();
        let records: Vec<_> =
            log.split(|byte| *byte == b'\n').filter_map(|line| parse_line(line).ok()).collect();
        assert_eq!(records.len(), golden.len(), "{name}");
        for (record, golden) in records.iter().zip(&golden) {
            compare(&name, record, golden);
        }
    }
}

fn compare(name: &str, record: &Record, golden: &Value) {
    let place = format!("{name}: {record:?} {golden:#}");
    let kind = record.kind().lower();
    assert_eq!(golden["record_type"], *kind, "{place}");
    assert_eq!(golden["sequence"], record.id().sequence, "{place}");
    assert_eq!(golden["raw_msg"], *record.raw(), "{place}");
    let Some(data) = golden["data"].as_object() else { return };
    for (key, value) in data {
        let read = read(record, key);
        assert_eq!(read.as_deref(), value.as_str(), "{key} of {place}");
    }
}

/// The value that a field would have in a document.
fn read(record: &Record, key: &str) -> Option<String> {
    let text = |key: &str| record.find(key).map(|field| field.text().into_owned());
    let unset = |text: String| if text == "4294967295" { "unset".to_owned() } else { text };
    let label = |field: &str, part: &str| {
        let label = text(field)?;
        SecurityContext::parse(&label)
            .parts()
            .find(|(name, _)| *name == part)
            .map(|(_, value)| value.to_owned())
    };
    let arch = || record.hex(Key::ARCH).and_then(|arch| u32::try_from(arch).ok());
    match (record.kind(), key) {
        (Kind::SOCKADDR, "saddr") => text("saddr"),
        (Kind::SOCKADDR, key) => socket(&record.socket_address()?, key),
        (Kind::EXECVE, key) if key.starts_with('a') && key != "argc" => {
            let index: usize = key.strip_prefix('a')?.parse().ok()?;
            let arguments = arguments(std::slice::from_ref(record));
            arguments.values.into_iter().nth(index).map(Text::into_owned)
        }
        (_, "arch") => decode::arch_name(arch()?).map(str::to_owned),
        (_, "syscall") => {
            let number = u32::try_from(record.number(Key::SYSCALL)?).ok()?;
            decode::syscall_name(arch()?, number).map(str::to_owned)
        }
        (_, "exit") => {
            let text = text("exit")?;
            let errno = text.strip_prefix('-').and_then(|digits| digits.parse().ok());
            errno.and_then(decode::errno_name).map(str::to_owned).or(Some(text))
        }
        (_, "result") => {
            let reported = text("res").or_else(|| text("success"))?;
            let good = matches!(reported.as_str(), "1" | "yes" | "success");
            Some(if good { "success" } else { "fail" }.to_owned())
        }
        (_, "auid" | "ses" | "old-auid") => text(key).map(unset),
        (_, key) if key.starts_with("subj_") => label("subj", &key[5..]),
        (_, key) if key.starts_with("obj_") => label("obj", &key[4..]),
        (_, key) => text(key),
    }
}

fn socket(address: &SocketAddress, key: &str) -> Option<String> {
    match (address, key) {
        (SocketAddress::Ip { ip, .. }, "addr") => Some(ip.to_string()),
        (SocketAddress::Ip { port, .. }, "port") => Some(port.to_string()),
        (SocketAddress::Unix(path), "path") => Some(String::from_utf8_lossy(path).into_owned()),
        // Theirs names no family that is not an address.
        (SocketAddress::Other { family, .. }, "family") => Some(family.to_string()),
        (_, "family") => decode::family_name(address.family()).map(str::to_owned),
        _ => None,
    }
}
