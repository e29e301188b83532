//! What the kernel says of a program that it does not take.

use std::io;

use aya::programs::ProgramError;

use crate::error::one_line;

/// Lines at the end of the verifier's log that say what is wrong.
const LAST_LINES: usize = 2;

/// The reason on one line.
pub(super) fn reason(error: &ProgramError) -> String {
    match error {
        ProgramError::LoadError { io_error, verifier_log } => {
            refused(io_error, &verifier_log.to_string())
        }
        other => one_line(other),
    }
}

/// The kernel's error number says little of what its verifier found: a program that is too large for it, or too long
/// to follow, is to it an argument list that is too long.
fn refused(error: &io::Error, log: &str) -> String {
    let lines: Vec<&str> = log.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let last = lines[lines.len().saturating_sub(LAST_LINES)..].join(": ");
    let code = error.raw_os_error();
    let said = if last.is_empty() { error.to_string() } else { last };
    match code {
        Some(libc::E2BIG) => {
            format!("this kernel's verifier finds the program too large, or gives up on it: {said}")
        }
        Some(libc::EACCES | libc::EINVAL) if !lines.is_empty() => {
            format!("this kernel's verifier refuses the program: {said}")
        }
        _ => format!("loading the program: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(code: i32, log: &str) -> String {
        refused(&io::Error::from_raw_os_error(code), log)
    }

    #[test]
    fn what_the_verifier_found_is_told_and_not_the_number() {
        let log = "0: (b7) r0 = 0\nBPF program is too large. Processed 98305 insn\n\n";
        let text = of(libc::E2BIG, log);
        assert!(text.contains("too large") && text.ends_with("Processed 98305 insn"), "{text}");
        assert!(!text.contains("Argument list"), "{text}");
        let text = of(libc::EACCES, "1: (79) r1 = *(u64 *)(r6 +0)\nR6 invalid mem access 'inv'\n");
        assert!(text.contains("refuses") && text.ends_with("invalid mem access 'inv'"), "{text}");
    }

    #[test]
    fn without_a_log_the_number_is_all_there_is() {
        assert!(of(libc::EPERM, "").contains("Operation not permitted"));
        assert!(of(libc::EINVAL, "").contains("Invalid argument"));
    }
}
