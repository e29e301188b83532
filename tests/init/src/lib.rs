//! What the first process of a virtual machine and its host agree on: where the initramfs keeps
//! its orders, and the frames in which output and results come back over one serial port.

#![forbid(unsafe_code)]

mod frame;

pub use frame::{Decoder, Frame};

/// Serial port that carries frames; the kernel's log has another one to itself, on arm64 of another kind.
pub const PORT: &str = if cfg!(target_arch = "aarch64") { "/dev/ttyS0" } else { "/dev/ttyS1" };

/// Kernel modules to load, one path per line, dependencies first.
pub const MODULES: &str = "/vm/modules";

/// The file that holds the arguments of the command with this number; they run in order from 0.
#[must_use]
pub fn command_file(number: usize) -> String {
    format!("/vm/command.{number}")
}

/// Writes arguments, each ended by a NUL, as the text of a [`command_file`].
#[must_use]
pub fn encode_command(arguments: &[String]) -> String {
    arguments.iter().map(|argument| format!("{argument}\0")).collect()
}

/// Reads the arguments back from the text of a [`command_file`].
#[must_use]
pub fn decode_command(text: &str) -> Vec<String> {
    text.split_terminator('\0').map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_come_back_as_they_were() {
        for arguments in [vec![], vec!["a"], vec!["a", "", "b c\n", ""]] {
            let arguments: Vec<String> = arguments.into_iter().map(str::to_owned).collect();
            assert_eq!(decode_command(&encode_command(&arguments)), arguments);
        }
    }
}
