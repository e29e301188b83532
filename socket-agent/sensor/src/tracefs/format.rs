//! What tracefs says of a trace event: its number, and where the values are in its records.

use std::{fs, io, path::Path};

use super::probe::Field;

/// Where values are in the raw record of one trace event.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    fields: [Option<(u16, u8)>; Field::COUNT],
}

impl Layout {
    /// Parses a `format` file; `rename` gives the fields of names that are not the agent's own.
    pub(super) fn parse(text: &str, rename: &[(&str, Field)]) -> Self {
        let mut fields = [None; Field::COUNT];
        for line in text.lines().filter(|line| line.trim_start().starts_with("field:")) {
            let mut name = "";
            let (mut offset, mut size) = (None, None);
            for part in line.split(';').map(str::trim) {
                match part.split_once(':') {
                    Some(("field", declaration)) => {
                        name = declaration.rsplit([' ', '*']).next().unwrap_or("");
                        name = name.split('[').next().unwrap_or(name);
                    }
                    Some(("offset", value)) => offset = value.parse().ok(),
                    Some(("size", value)) => size = value.parse().ok(),
                    _ => {}
                }
            }
            let own = if rename.is_empty() { Field::from_name(name) } else { None };
            let other = rename.iter().find(|(other, _)| *other == name).map(|(_, field)| *field);
            if let (Some(field), Some(offset), Some(size)) = (own.or(other), offset, size) {
                fields[field as usize] = Some((offset, size));
            }
        }
        Self { fields }
    }

    /// Whether records have a field.
    pub(super) fn has(&self, field: Field) -> bool {
        self.fields[field as usize].is_some()
    }

    /// A value of a raw record; 0 if it has none.
    pub(super) fn get(&self, raw: &[u8], field: Field) -> u64 {
        let Some((offset, size)) = self.fields[field as usize] else { return 0 };
        number(raw, offset.into(), size.into())
    }

    /// `length` bytes of memory that was fetched in words, the first of which is `field`.
    pub(super) fn bytes<'r>(&self, raw: &'r [u8], field: Field, length: usize) -> &'r [u8] {
        let Some((offset, _)) = self.fields[field as usize] else { return &[] };
        raw.get(usize::from(offset)..usize::from(offset) + length).unwrap_or_default()
    }

    /// A string at the end of a record, whose offset and length `field` holds (`__data_loc`).
    pub(super) fn text<'r>(&self, raw: &'r [u8], field: Field) -> &'r [u8] {
        let location = self.get(raw, field);
        let (offset, length) = ((location & 0xffff) as usize, (location >> 16 & 0xffff) as usize);
        let text = raw.get(offset..offset + length).unwrap_or_default();
        text.split(|byte| *byte == 0).next().unwrap_or_default()
    }
}

/// An unsigned integer of 1, 2, 4 or 8 bytes; 0 beyond the end.
fn number(raw: &[u8], offset: usize, size: usize) -> u64 {
    let mut bytes = [0; 8];
    let Some(found) = raw.get(offset..offset + size.min(8)) else { return 0 };
    if cfg!(target_endian = "little") {
        bytes[..found.len()].copy_from_slice(found);
    } else {
        bytes[8 - found.len()..].copy_from_slice(found);
    }
    u64::from_ne_bytes(bytes)
}

/// Number of the trace event that `directory` describes.
///
/// # Errors
///
/// The file is missing or holds no number.
pub(super) fn id(directory: &Path) -> io::Result<u16> {
    let text = fs::read_to_string(directory.join("id"))?;
    text.trim().parse().map_err(io::Error::other)
}

/// Number of the trace event that made a raw record: the field `common_type`.
pub(super) fn id_of(raw: &[u8]) -> Option<u16> {
    Some(u16::from_ne_bytes(raw.get(..2)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KPROBE: &str = "name: state\nID: 1600\nformat:\n\
        \tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n\
        \tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;\n\n\
        \tfield:unsigned long __probe_ip;\toffset:8;\tsize:8;\tsigned:0;\n\
        \tfield:u64 sock;\toffset:16;\tsize:8;\tsigned:0;\n\
        \tfield:u8 state;\toffset:24;\tsize:1;\tsigned:0;\n\
        \tfield:u64 window;\toffset:25;\tsize:8;\tsigned:0;\n\
        \tfield:u64 window_1;\toffset:33;\tsize:8;\tsigned:0;\n";

    #[test]
    fn values_are_read_where_the_format_says() {
        let layout = Layout::parse(KPROBE, &[]);
        let mut raw = vec![0u8; 48];
        raw[..2].copy_from_slice(&1600u16.to_ne_bytes());
        raw[16..24].copy_from_slice(&0xffff_8880_0000_1234_u64.to_ne_bytes());
        raw[24] = 7;
        raw[25..41].copy_from_slice(b"0123456789abcdef");
        assert_eq!(id_of(&raw), Some(1600));
        assert_eq!(layout.get(&raw, Field::Sock), 0xffff_8880_0000_1234);
        assert_eq!(layout.get(&raw, Field::State), 7);
        assert_eq!(layout.get(&raw, Field::Num), 0);
        assert_eq!(layout.bytes(&raw, Field::Window, 16), b"0123456789abcdef");
        assert_eq!(layout.get(&raw[..20], Field::Sock), 0);
    }

    #[test]
    fn tracepoints_carry_strings_behind_their_fields() {
        let text = "\tfield:__data_loc char[] filename;\toffset:8;\tsize:4;\tsigned:1;\n";
        let layout = Layout::parse(text, &[("filename", Field::Filename)]);
        let mut raw = vec![0u8; 12];
        raw[8..12].copy_from_slice(&(12u32 | 8 << 16).to_ne_bytes());
        raw.extend(b"/bin/sh\0");
        assert_eq!(layout.text(&raw, Field::Filename), b"/bin/sh");
    }
}
