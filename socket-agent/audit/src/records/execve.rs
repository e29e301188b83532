//! Arguments of a program, from EXECVE records.
//!
//! The kernel spreads many arguments over several records, and a long one over several fields:
//! `a1_len=9000 a1[0]=... a1[1]=...`. Arguments and pieces are taken by their numbers, whatever the
//! order in which the records came.
//!
//! Source: `audit_log_execve_info` in kernel/auditsc.c.

use std::fmt;

use super::{Field, Key, Kind, Record, Text, decimal};

/// The arguments of the program that an event starts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Arguments<'a> {
    /// In order. One that no record has is empty; where a piece of one is missing stands U+FFFD.
    pub values: Vec<Text<'a>>,
    /// What is missing, or is not as it was announced; a few of many.
    pub faults: Vec<ArgumentFault>,
}

/// Why arguments are not certainly those of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArgumentFault {
    /// No record says how many there are: the first is missing.
    NoCount,
    /// There are more than were announced.
    TooMany {
        /// Number of arguments that were announced.
        announced: u64,
        /// Number of arguments that were found.
        found: usize,
    },
    /// So many are in no record that they are not all taken as empty.
    Gap {
        /// The first that was left out.
        index: usize,
    },
    /// Some are in no record. Kernels 4.8 to 4.20 leave out the empty ones.
    Absent {
        /// Number of such arguments.
        count: usize,
    },
    /// A piece of an argument is in no record.
    Piece {
        /// Index of the argument, from 0.
        index: usize,
        /// Index of the piece, from 0.
        piece: usize,
    },
    /// An argument in pieces is not as long as was announced.
    Length {
        /// Index of the argument, from 0.
        index: usize,
        /// Announced bytes.
        announced: u64,
        /// Bytes that are there.
        found: u64,
    },
    /// Two records have the same argument, or the same piece.
    Repeated {
        /// Index of the argument, from 0.
        index: usize,
    },
}

/// Arguments that no record has and that are taken as empty: their number is text from a log, which
/// must not decide how much memory is used.
const GAP_MAX: usize = 4_096;
/// Faults that are kept.
const FAULTS_MAX: usize = 8;

/// Meaning of the name of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    /// `a3_len`.
    Length,
    /// `a3`.
    Whole,
    /// `a3[1]`.
    Piece(usize),
}

/// A field, and the argument that it is of.
type ArgumentField<'a> = (usize, Part, Field<'a>);

/// The arguments of the program that an event starts, in order.
pub fn arguments(records: &[Record]) -> Arguments<'_> {
    let mut arguments = Arguments::default();
    let mut announced = None;
    let mut is_exec = false;
    for record in records.iter().filter(|record| record.kind() == Kind::EXECVE) {
        is_exec = true;
        for field in record.fields() {
            let part = match field.id {
                // Most programs have no more.
                Key::A0 => Some((0, Part::Whole)),
                Key::A1 => Some((1, Part::Whole)),
                Key::A2 => Some((2, Part::Whole)),
                Key::A3 => Some((3, Part::Whole)),
                Key::ARGC => None,
                _ => part(field.key),
            };
            match part {
                // Nearly always.
                Some((index, Part::Whole)) if index == arguments.values.len() => {
                    arguments.values.push(field.text());
                }
                Some(_) => return by_number(records),
                None if field.id == Key::ARGC => announced = announced.or(decimal(field.value)),
                None => {}
            }
        }
    }
    if is_exec {
        arguments.fit(announced);
    }
    arguments
}

/// As [`arguments`], of fields in any order.
fn by_number(records: &[Record]) -> Arguments<'_> {
    let mut entries: Vec<ArgumentField<'_>> = records
        .iter()
        .filter(|record| record.kind() == Kind::EXECVE)
        .flat_map(|record| record.fields())
        .filter_map(|field| part(field.key).map(|(index, part)| (index, part, field)))
        .collect();
    entries.sort_by_key(|(index, part, _)| (*index, *part));
    let mut arguments = Arguments::default();
    let mut absent = 0;
    for entries in entries.chunk_by(|one, other| one.0 == other.0) {
        let Some((index, ..)) = entries.first() else { continue };
        absent += index - arguments.values.len();
        if absent > GAP_MAX {
            arguments.fault(ArgumentFault::Gap { index: *index });
            break;
        }
        arguments.values.resize(*index, Text::default());
        let value = arguments.join(*index, entries);
        arguments.values.push(value);
    }
    if absent > 0 && absent <= GAP_MAX {
        arguments.fault(ArgumentFault::Absent { count: absent });
    }
    let execs = records.iter().filter(|record| record.kind() == Kind::EXECVE);
    arguments.fit(execs.filter_map(|record| record.number(Key::ARGC)).next());
    arguments
}

/// `a3` and `a3[1]` belong to argument 3, and so does `a3_len`; `argc` does not.
fn part(key: &[u8]) -> Option<(usize, Part)> {
    let rest = key.strip_prefix(b"a")?;
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let number = |digits: &[u8]| usize::try_from(decimal(digits)?).ok();
    let index = number(&rest[..digits])?;
    let part = match &rest[digits..] {
        b"" => Part::Whole,
        b"_len" => Part::Length,
        [b'[', piece @ .., b']'] => Part::Piece(number(piece)?),
        _ => return None,
    };
    Some((index, part))
}

// === impl Arguments ===

impl<'a> Arguments<'a> {
    /// Whether something of them is missing or may be another's.
    pub fn is_incomplete(&self) -> bool {
        self.faults.iter().any(|fault| !matches!(fault, ArgumentFault::Absent { .. }))
    }

    /// The argument that fields in order are of.
    fn join(&mut self, index: usize, entries: &[ArgumentField<'a>]) -> Text<'a> {
        let mut announced = None;
        let mut bytes = Vec::new();
        // As the kernel wrote them, and as they are.
        let (mut written, mut decoded) = (0, 0);
        let mut next = 0;
        for (_, part, field) in entries {
            match part {
                Part::Length => announced = announced.or(decimal(field.value)),
                Part::Whole => {
                    let others = entries.iter().filter(|entry| entry.1 != Part::Length).count();
                    if others > 1 {
                        self.fault(ArgumentFault::Repeated { index });
                    }
                    return field.text();
                }
                Part::Piece(piece) if *piece < next => {
                    self.fault(ArgumentFault::Repeated { index });
                }
                Part::Piece(piece) => {
                    if *piece > next {
                        self.fault(ArgumentFault::Piece { index, piece: next });
                        bytes.extend_from_slice(char::REPLACEMENT_CHARACTER.to_string().as_bytes());
                        // One fault of an argument is enough.
                        announced = None;
                    }
                    bytes.extend_from_slice(field.value);
                    decoded += field.value.len() as u64;
                    written += field.written_length() as u64;
                    next = piece.saturating_add(1);
                }
            }
        }
        // Kernels before 4.8 announce the digits of an encoded argument, later ones its bytes.
        if let Some(announced) =
            announced.filter(|announced| ![written, decoded].contains(announced))
        {
            self.fault(ArgumentFault::Length { index, announced, found: decoded });
        }
        Text::lossy(&bytes).into_owned().into()
    }

    /// Fits the number of arguments to that which was announced.
    fn fit(&mut self, announced: Option<u64>) {
        let found = self.values.len();
        let Some(announced) = announced else { return self.fault(ArgumentFault::NoCount) };
        let count = usize::try_from(announced).unwrap_or(usize::MAX);
        if count < found {
            return self.fault(ArgumentFault::TooMany { announced, found });
        }
        let absent = count - found;
        if absent > GAP_MAX {
            return self.fault(ArgumentFault::Gap { index: found });
        }
        self.values.resize(count, Text::default());
        if absent > 0 {
            let before = self.faults.iter_mut().find_map(|fault| match fault {
                ArgumentFault::Absent { count } => Some(count),
                _ => None,
            });
            match before {
                Some(count) => *count += absent,
                None => self.fault(ArgumentFault::Absent { count: absent }),
            }
        }
    }

    fn fault(&mut self, fault: ArgumentFault) {
        if self.faults.len() < FAULTS_MAX {
            self.faults.push(fault);
        }
    }
}

// === impl ArgumentFault ===

impl fmt::Display for ArgumentFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCount => {
                f.write_str("no record says how many arguments there are: the first is missing")
            }
            Self::TooMany { announced, found } => {
                write!(f, "{found} arguments are there, and {announced} were announced")
            }
            Self::Gap { index } => {
                write!(f, "arguments from {index} on are left out: too many before are missing")
            }
            Self::Absent { count } => {
                write!(f, "{count} arguments are in no record and are taken as empty")
            }
            Self::Piece { index, piece } => {
                write!(f, "argument {index}: piece {piece} is missing")
            }
            Self::Length { index, announced, found } => {
                write!(f, "argument {index}: {found} of {announced} bytes are there")
            }
            Self::Repeated { index } => write!(f, "argument {index} is there more than once"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::parse_kernel;

    fn records(texts: &[&str]) -> Vec<Record> {
        let record = |text: &&str| {
            let text = format!("audit(1.000:1): {text}");
            parse_kernel(Kind::EXECVE, text.as_bytes()).unwrap()
        };
        texts.iter().map(record).collect()
    }

    /// The arguments, and what is wrong with them.
    fn assembled(texts: &[&str]) -> (Vec<String>, Vec<String>, bool) {
        let records = records(texts);
        let arguments = arguments(&records);
        let incomplete = arguments.is_incomplete();
        let values = arguments.values.into_iter().map(Text::into_owned).collect();
        (values, arguments.faults.iter().map(ToString::to_string).collect(), incomplete)
    }

    fn joined(texts: &[&str]) -> Vec<String> {
        let (values, faults, _) = assembled(texts);
        assert!(faults.is_empty(), "{faults:?}");
        values
    }

    #[test]
    fn quoted_encoded_and_empty() {
        let text = r#"argc=4 a0="/bin/echo" a1=77697468207370616365 a2="" a3="k=v""#;
        assert_eq!(joined(&[text]), ["/bin/echo", "with space", "", "k=v"]);
        assert_eq!(arguments(&[]), Arguments::default());
    }

    #[test]
    fn long_ones_are_joined_across_records() {
        let texts = [
            r#"argc=3 a0="true" a1_len=7 a1[0]=41414120 a1[1]="BB""#,
            r#" a1[2]="C""#,
            r#" a2="tail""#,
        ];
        assert_eq!(joined(&texts), ["true", "AAA BBC", "tail"]);
        // As kernels before 4.8 count.
        let digits = texts.map(|text| text.replace("a1_len=7", "a1_len=11"));
        assert_eq!(joined(&digits.each_ref().map(String::as_str)), ["true", "AAA BBC", "tail"]);
    }

    /// ausearch prints the records of an event from the last to the first.
    #[test]
    fn the_order_of_records_does_not_matter() {
        let texts = [
            r#"argc=4 a0="sh" a1_len=12 a1[0]="abc""#,
            r#" a1[2]="ghi""#,
            r#" a1[1]="def" a1[3]="jkl" a2="end""#,
            r#" a3="last""#,
        ];
        let expected = ["sh", "abcdefghijkl", "end", "last"];
        assert_eq!(joined(&texts), expected);
        let mut turned = texts;
        turned.reverse();
        assert_eq!(joined(&turned), expected);
        turned.swap(0, 2);
        assert_eq!(joined(&turned), expected);
    }

    #[test]
    fn many_arguments_may_come_from_the_last_to_the_first() {
        let first: String = (0..9_000).map(|index| format!(" a{index}=\"{index}\"")).collect();
        let second: String =
            (9_000..18_000).map(|index| format!(" a{index}=\"{index}\"")).collect();
        let (first, second) = (format!("argc=18000{first}"), second);
        let expected: Vec<String> = (0..18_000).map(|index| index.to_string()).collect();
        assert_eq!(joined(&[&second, &first]), expected);
    }

    #[test]
    fn what_is_missing_is_told() {
        let hole = [r#"argc=3 a0="sh" a1_len=12 a1[0]="abc""#, r#" a1[3]="jkl" a2="end""#];
        let (values, faults, incomplete) = assembled(&hole);
        assert_eq!(values, ["sh", "abc\u{fffd}jkl", "end"]);
        assert_eq!((faults, incomplete), (vec!["argument 1: piece 1 is missing".into()], true));

        let cut = assembled(&[r#"argc=2 a0="sh" a1_len=12 a1[0]="abc""#]);
        assert_eq!(cut.1, ["argument 1: 3 of 12 bytes are there"]);
        let begun = assembled(&[r#"argc=2 a0="sh" a1_len=12"#]);
        assert_eq!((begun.0, begun.2), (vec!["sh".into(), "".into()], true));
        let uncounted = assembled(&[r#" a0="sh""#]);
        assert!(uncounted.1[0].starts_with("no record says how many"), "{:?}", uncounted.1);
        let more = assembled(&[r#"argc=1 a0="sh" a1="x""#]);
        assert_eq!(more.1, ["2 arguments are there, and 1 were announced"]);
        let twice = assembled(&[r#"argc=2 a0="sh" a1="x" a1="y""#]);
        assert_eq!((twice.0[1].as_str(), twice.2), ("x", true));
    }

    #[test]
    fn empty_arguments_may_be_left_out() {
        let (values, faults, incomplete) = assembled(&[r#"argc=5 a0="sh" a1="-c" a3="x""#]);
        assert_eq!(values, ["sh", "-c", "", "x", ""]);
        assert_eq!(faults, ["2 arguments are in no record and are taken as empty"]);
        assert!(!incomplete);
        assert_eq!(assembled(&[r#"argc=3 a0="sh""#]).0, ["sh", "", ""]);
    }

    #[test]
    fn strange_numbers_do_no_harm() {
        let (values, faults, _) =
            assembled(&["argc=9 a99999999=\"x\" a18446744073709551616=\"y\" a0=\"z\""]);
        assert_eq!((values.len(), values[0].as_str(), faults.len()), (9, "z", 2));
        let (values, faults, incomplete) = assembled(&["argc=18446744073709551615 a0=\"z\""]);
        assert_eq!((values, incomplete), (vec!["z".to_owned()], true), "{faults:?}");
        assert_eq!(assembled(&["argc=3 a2=\"x\" a1_len=0 ax=\"1\" a=\"1\""]).0, ["", "", "x"]);
    }
}
