//! Arguments of a program, from EXECVE records.

use super::{Kind, Record, Text};

/// The arguments of the program that an event starts, in order.
///
/// The kernel spreads many arguments over several records, and a long one over several fields:
/// `a1_len=9000 a1[0]=... a1[1]=...`. An argument that is missing in between is empty here.
///
/// Source: `audit_log_execve_info` in kernel/auditsc.c.
pub fn arguments(records: &[Record]) -> Vec<Text<'_>> {
    let mut arguments: Vec<Text<'_>> = Vec::new();
    // The bytes of an argument in pieces, and which it is: a character may be cut in two.
    let mut pieces: Option<(usize, Vec<u8>)> = None;
    for record in records.iter().filter(|record| record.kind() == Kind::EXECVE) {
        for field in record.fields() {
            let Some((index, is_piece)) = index(field.key) else { continue };
            // The index is text from a log: it must not decide how much memory is used.
            if index > arguments.len() + GAP_MAX {
                continue;
            }
            if arguments.len() <= index {
                arguments.resize(index + 1, Text::default());
            }
            if !is_piece {
                arguments[index] = field.text();
                continue;
            }
            match &mut pieces {
                Some((of, bytes)) if *of == index => bytes.extend_from_slice(field.value),
                _ => {
                    join(pieces.take(), &mut arguments);
                    pieces = Some((index, field.value.to_vec()));
                }
            }
        }
    }
    join(pieces, &mut arguments);
    arguments
}

/// Puts an argument in pieces at its place.
fn join(pieces: Option<(usize, Vec<u8>)>, arguments: &mut [Text<'_>]) {
    if let Some((index, bytes)) = pieces
        && let Some(argument) = arguments.get_mut(index)
    {
        *argument = Text::lossy(&bytes).into_owned().into();
    }
}

/// Arguments that may be missing between two that came.
const GAP_MAX: usize = 4_096;

/// `a3` and `a3[1]` belong to argument 3; `a3_len` and `argc` are no arguments.
fn index(key: &[u8]) -> Option<(usize, bool)> {
    let rest = key.strip_prefix(b"a")?;
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let number = super::stamp::decimal(&rest[..digits])?;
    let index = usize::try_from(number).ok()?;
    match &rest[digits..] {
        b"" => Some((index, false)),
        [b'[', .., b']'] => Some((index, true)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::parse_kernel;

    fn joined(texts: &[&str]) -> Vec<String> {
        let records: Vec<_> = texts
            .iter()
            .map(|text| {
                let text = format!("audit(1.000:1): {text}");
                parse_kernel(Kind::EXECVE, text.as_bytes()).unwrap()
            })
            .collect();
        let arguments = arguments(&records);
        arguments.into_iter().map(Text::into_owned).collect()
    }

    #[test]
    fn quoted_encoded_and_empty() {
        let text = r#"argc=4 a0="/bin/echo" a1=77697468207370616365 a2="" a3="k=v""#;
        assert_eq!(joined(&[text]), ["/bin/echo", "with space", "", "k=v"]);
    }

    #[test]
    fn long_ones_are_joined_across_records() {
        let texts = [
            r#"argc=3 a0="true" a1_len=8 a1[0]=41414120 a1[1]="BB""#,
            r#" a1[2]="C""#,
            r#" a2="tail""#,
        ];
        assert_eq!(joined(&texts), ["true", "AAA BBC", "tail"]);
    }

    #[test]
    fn strange_numbers_do_no_harm() {
        assert_eq!(joined(&["argc=9 a99999999=\"x\" a18446744073709551616=\"y\" a0=\"z\""]), ["z"]);
        assert_eq!(joined(&["a2=\"x\" a1_len=4 ax=\"1\" a=\"1\""]), ["", "", "x"]);
    }
}
