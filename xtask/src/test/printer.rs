//! Output of several programs that speak at the same time.

use std::io::Write as _;

/// Prints whole lines to standard output, each with the name of who says it.
pub(super) struct Printer {
    name: String,
    partial: Vec<u8>,
}

// === impl Printer ===

impl Printer {
    pub(super) fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), partial: Vec::new() }
    }

    /// Takes a piece of output.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        let text = self.lines(bytes);
        // A reader that has gone is no reason to stop the tests.
        let _ = std::io::stdout().lock().write_all(text.as_bytes());
    }

    /// Names whoever says what follows.
    pub(super) fn rename(&mut self, name: impl Into<String>) {
        self.name = name.into();
    }

    fn lines(&mut self, bytes: &[u8]) -> String {
        self.partial.extend_from_slice(bytes);
        let mut text = String::new();
        while let Some(end) = self.partial.iter().position(|&byte| byte == b'\n') {
            let line: Vec<u8> = self.partial.drain(..=end).collect();
            text.push_str(&format!("[{}] {}", self.name, String::from_utf8_lossy(&line)));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_lines_have_a_name() {
        let mut printer = Printer::new("6.1 kprobe");
        assert_eq!(printer.lines(b"PASS a\nPA"), "[6.1 kprobe] PASS a\n");
        assert_eq!(printer.lines(b"SS b"), "");
        printer.rename("6.1 cgroup");
        assert_eq!(printer.lines(b"\n\n"), "[6.1 cgroup] PASS b\n[6.1 cgroup] \n");
    }
}
