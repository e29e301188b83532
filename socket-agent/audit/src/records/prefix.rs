//! Records in the lines of other logs: syslog's, the kernel's, dmesg's, audispd's.
//!
//! ```text
//! Nov 30 07:00:00 web1 audispd: node=web1 type=USER_END msg=audit(1700000500.100:802): pid=1
//! <30>Nov 30 07:00:01 web1 audisp-syslog[812]: type=CRED_DISP msg=audit(1700000500.200:803): pid=1
//! 2023-11-30T07:00:02+00:00 web1 kernel: audit: type=1400 audit(1700000500.300:804): pid=1
//! [   12.345678] audit: type=1400 audit(1700000500.400:805): pid=1
//! ```

use super::{Key, field::Span, scan};

/// Position of the record in a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Prefix {
    /// Its first word, `node=` or `type=`.
    pub(super) start: usize,
    /// The host that the line is from, if it has a header that says so.
    pub(super) host: Span,
}

/// What separates the kernel's text from what auditd has added, in the words of syslog daemons that
/// write control characters as octal numbers.
const ADDED: &[u8] = b"#035";
const MONTHS: &[u8] = b"JanFebMarAprMayJunJulAugSepOctNovDec";

/// Finds the record in a line that does not begin with one.
pub(super) fn find(line: &[u8]) -> Option<Prefix> {
    let kind = memchr::memmem::find_iter(line, b"type=").find(|at| begins_record(line, *at))?;
    let before = line.get(..kind)?;
    let start = before
        .strip_suffix(b" ")
        .map(|before| before.iter().rposition(|byte| *byte == b' ').map_or(0, |space| space + 1))
        .filter(|word| before.get(*word..).is_some_and(|word| word.starts_with(b"node=")))
        .unwrap_or(kind);
    Some(Prefix { start, host: host(line.get(..start)?).unwrap_or_default() })
}

/// `type=NAME msg=audit(` or, in the kernel's log, `type=NUMBER audit(`.
fn begins_record(line: &[u8], at: usize) -> bool {
    if at > 0 && line.get(at - 1) != Some(&b' ') {
        return false;
    }
    let rest = line.get(scan::find(line, at, b' ')..).unwrap_or_default();
    rest.starts_with(b" msg=audit(") || rest.starts_with(b" audit(")
}

/// The host in a header: `[<PRIORITY>[VERSION ]]TIME HOST TAG...`.
fn host(header: &[u8]) -> Option<Span> {
    let mut at = 0;
    if header.first() == Some(&b'<') {
        at = scan::find(header, 0, b'>') + 1;
    }
    let mut word = || {
        while header.get(at) == Some(&b' ') {
            at += 1;
        }
        let start = at;
        at = scan::find(header, at, b' ').max(start);
        let word = header.get(start..at).filter(|word| !word.is_empty())?;
        Some((word, Span::new(start, start + word.len())))
    };
    let (mut first, _) = word()?;
    if first == b"1" {
        (first, _) = word()?;
    }
    let is_month = first.len() == 3 && MONTHS.chunks(3).any(|month| month == first);
    let is_date = first.iter().take(4).all(u8::is_ascii_digit) && first.get(4) == Some(&b'-');
    match (is_month, is_date) {
        // Nov 30 07:00:00
        (true, _) => {
            word()?;
            word().filter(|(time, _)| time.contains(&b':'))?;
        }
        (_, true) if first.contains(&b'T') => {}
        // 2023-11-30 07:00:00
        (_, true) => word().filter(|(time, _)| time.contains(&b':')).map(drop)?,
        _ => return None,
    }
    let (name, span) = word()?;
    (!name.ends_with(b":")).then_some(span)
}

/// Where the kernel's text ends and where what auditd has added begins, in a text from `start` on
/// whose separator a syslog daemon or audispd has replaced.
pub(super) fn added(text: &[u8], start: usize) -> Option<(usize, usize)> {
    let rest = text.get(start..)?;
    if let Some(at) = memchr::memmem::find(rest, ADDED)
        && is_added(rest.get(at + ADDED.len()..)?)
    {
        return Some((start + at, start + at + ADDED.len()));
    }
    // audispd writes a space.
    let at = memchr::memchr_iter(b' ', rest).find(|at| rest.get(at + 1..).is_some_and(is_added))?;
    Some((start + at, start + at + 1))
}

/// Whether a text begins with a field of auditd's own: its name is in capitals.
fn is_added(text: &[u8]) -> bool {
    // The longest is OLD-AUID.
    let text = text.get(..9).unwrap_or(text);
    let name = text.get(..scan::length(text, b'=')).unwrap_or_default();
    let is_capital = |byte: &u8| byte.is_ascii_uppercase() || *byte == b'-';
    name.len() < text.len() && name.iter().all(is_capital) && Key::of(name) != Key::OTHER
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORD: &str = "type=USER_END msg=audit(1.000:5): pid=1";

    fn parts(line: &str) -> Option<(&str, &str)> {
        let Prefix { start, host } = find(line.as_bytes())?;
        Some((&line[host.range()], &line[start..]))
    }

    #[test]
    fn headers_of_other_logs() {
        for (header, host) in [
            ("Nov 30 07:00:00 web1 audispd: ", "web1"),
            ("Nov  3 07:00:00 web1.example audispd: ", "web1.example"),
            ("<30>Nov 30 07:00:01 web1 audisp-syslog[812]: ", "web1"),
            ("<30>1 2023-11-30T07:00:01.5Z web1 audisp-syslog 812 - - ", "web1"),
            ("2023-11-30T07:00:02.123456+01:00 web1 kernel: audit: ", "web1"),
            ("2023-11-30 07:00:02 web1 kernel: [   12.345678] audit: ", "web1"),
            ("Nov 30 07:00:02 kernel: audit: ", ""),
            ("[   12.345678] audit: ", ""),
            ("[Thu Nov 30 07:00:02 2023] audit: ", ""),
            ("<5>[   12.345678] audit: ", ""),
            ("audit: ", ""),
            ("kernel: ", ""),
        ] {
            assert_eq!(parts(&format!("{header}{RECORD}")), Some((host, RECORD)), "{header}");
            let node = format!("node=web2 {RECORD}");
            assert_eq!(parts(&format!("{header}{node}")), Some((host, &*node)), "{header}");
            let number = "type=1400 audit(1.000:5): pid=1";
            assert_eq!(parts(&format!("{header}{number}")), Some((host, number)), "{header}");
        }
    }

    #[test]
    fn long_lines_take_no_longer_than_others() {
        let start = std::time::Instant::now();
        for part in ["type=", " type=", "a ", " A", "#035"] {
            let line = part.repeat((1 << 20) / part.len());
            assert_eq!((find(line.as_bytes()), added(line.as_bytes(), 0)), (None, None));
        }
        // Far more than it takes, far less than it would if each part were read to the end.
        assert!(start.elapsed().as_secs() < 20, "{:?}", start.elapsed());
    }

    #[test]
    fn other_lines_of_these_logs() {
        for line in [
            "",
            "Nov 30 07:00:00 web1 sshd[1]: session opened",
            "Nov 30 07:00:00 web1 kernel: audit: audit_backlog=65 > audit_backlog_limit=64",
            "Nov 30 07:00:00 web1 x: type=USER_END",
            "Nov 30 07:00:00 web1 x: mytype=USER_END msg=audit(1.000:5): pid=1",
            "Nov 30 07:00:00 web1 x: type= msg=",
        ] {
            assert_eq!(find(line.as_bytes()), None, "{line}");
        }
    }

    #[test]
    fn what_auditd_has_added_is_found_without_its_separator() {
        let parts = |text: &str| {
            let (end, begin) = added(text.as_bytes(), 0)?;
            Some((text[..end].to_owned(), text[begin..].to_owned()))
        };
        let both = Some(("pid=1 res=success'".to_owned(), "UID=\"root\" AUID=\"ada\"".to_owned()));
        assert_eq!(parts("pid=1 res=success'#035UID=\"root\" AUID=\"ada\""), both);
        assert_eq!(parts("pid=1 res=success' UID=\"root\" AUID=\"ada\""), both);
        for text in ["pid=1 cmd=#035x", "pid=1 OTHER=2", "pid=1 UID", "pid=1 a UID2=1", ""] {
            assert_eq!(parts(text), None, "{text}");
        }
    }
}
