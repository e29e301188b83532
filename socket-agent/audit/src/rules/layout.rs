//! `struct audit_rule_data` of `include/uapi/linux/audit.h`: native-endian words, then the text of
//! the text fields one after the other without any separator.
//!
//! | words | meaning |
//! |---|---|
//! | 1 | list, and a bit for the position |
//! | 1 | action |
//! | 1 | number of fields |
//! | 64 | system calls, a bit each |
//! | 64 | fields |
//! | 64 | values; of a text field, its length |
//! | 64 | operators |
//! | 1 | length of the text |

/// Bytes of a word.
pub(super) const WORD: usize = 4;
/// Words of the mask of system calls.
pub(super) const MASK_WORDS: usize = 64;
/// Most fields of a rule.
pub(super) const MAX_FIELDS: usize = 64;
/// Bytes before the text.
pub(super) const HEADER: usize = (3 + MASK_WORDS + 3 * MAX_FIELDS + 1) * WORD;
/// Most bytes of a text field, `PATH_MAX`.
pub(super) const MAX_TEXT: usize = 4096;
/// Most bytes of all keys of a rule, with a separator between two.
pub(super) const MAX_KEY: usize = 256;
/// Between two keys of a rule.
pub(super) const KEY_SEPARATOR: u8 = 1;
/// Set in the list: put the rule before the others.
pub(super) const PREPEND: u32 = 0x10;
