//! What a log is read from: text, perhaps compressed.

use std::{
    fmt,
    io::{self, BufRead, BufReader, Chain, Cursor, Read},
};

use flate2::bufread::MultiGzDecoder;

/// Logs are read in pieces of so many bytes.
const PIECE: usize = 128 << 10;
/// Bytes by which the kind of a file is known.
const HEAD: usize = 4 << 10;

/// Why something is no log that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoLog {
    /// Two bytes a character.
    #[error("UTF-16 text; convert it: iconv -f UTF-16 -t UTF-8")]
    Utf16,
    /// Compressed by another program than gzip.
    #[error("compressed by {program}; unpack it: {program} -dc")]
    Compressed {
        /// Name of the program that unpacks it.
        program: &'static str,
    },
    /// The journal of systemd.
    #[error("a journal of systemd; give what `journalctl -k --file FILE` prints, or auditd's log")]
    Journal,
    /// No text.
    #[error("binary data, not the text of an audit log")]
    Binary,
    /// Text without a record.
    #[error("no audit record in {lines} lines; give a log in auditd's format")]
    NoRecord {
        /// Number of lines in the input.
        lines: u64,
    },
}

/// First bytes of files of other kinds.
const MAGIC: [(&[u8], NoLog); 7] = [
    (b"\xff\xfe", NoLog::Utf16),
    (b"\xfe\xff", NoLog::Utf16),
    (b"\xfd7zXZ\0", NoLog::Compressed { program: "xz" }),
    (b"\x28\xb5\x2f\xfd", NoLog::Compressed { program: "zstd" }),
    (b"BZh", NoLog::Compressed { program: "bzip2" }),
    (b"\x04\x22\x4d\x18", NoLog::Compressed { program: "lz4" }),
    (b"LPKSHHRH", NoLog::Journal),
];
const GZIP: &[u8] = b"\x1f\x8b";
/// A mark that some editors put before UTF-8.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// A reader whose beginning was looked at.
type Headed<R> = Chain<Cursor<Vec<u8>>, R>;

/// The text of a log.
pub struct Input<'r>(Box<dyn BufRead + 'r>);

impl<'r> Input<'r> {
    /// Looks at the beginning: unpacks what gzip has packed, leaves out a byte order mark.
    ///
    /// # Errors
    /// Reading fails, or it is no text; the source of the error is then a [`NoLog`].
    pub fn open(reader: impl Read + 'r) -> io::Result<Self> {
        let (head, reader) = head(BufReader::with_capacity(PIECE, reader))?;
        if !head.starts_with(GZIP) {
            return Self::text(head, reader);
        }
        let packed: Headed<_> = Cursor::new(head).chain(reader);
        let unpacked = BufReader::with_capacity(PIECE, MultiGzDecoder::new(packed));
        let (head, reader) = self::head(unpacked)?;
        Self::text(head, reader)
    }

    fn text(mut head: Vec<u8>, reader: impl BufRead + 'r) -> io::Result<Self> {
        if let Some(reason) = foreign(&head) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
        }
        if head.starts_with(MARK) {
            head.drain(..MARK.len());
        }
        Ok(Self(Box::new(Cursor::new(head).chain(reader))))
    }
}

/// Reads the beginning.
fn head<R: BufRead>(mut reader: R) -> io::Result<(Vec<u8>, R)> {
    let mut head = Vec::new();
    // The longest of the marks; a pipe may give less than a file at once.
    while head.len() < 8 {
        let chunk = reader.fill_buf()?;
        if chunk.is_empty() {
            break;
        }
        let length = chunk.len().min(HEAD);
        head.extend_from_slice(chunk.get(..length).unwrap_or_default());
        reader.consume(length);
    }
    Ok((head, reader))
}

/// What a file is that begins so, if it is no text.
fn foreign(head: &[u8]) -> Option<NoLog> {
    if let Some((_, what)) = MAGIC.iter().find(|(magic, _)| head.starts_with(magic)) {
        return Some(*what);
    }
    // A log that was being written when its host lost power may hold blocks of zeros.
    if memchr::memmem::find(head, b"audit(").is_some() {
        return None;
    }
    let (pairs, _) = head.as_chunks::<2>();
    let zeros_at = |place: usize| {
        let other = 1 - place;
        let fits = |pair: &&[u8; 2]| pair[place] == 0 && pair[other] != 0;
        pairs.len() > 4 && pairs.iter().filter(fits).count() * 4 > pairs.len() * 3
    };
    if zeros_at(0) || zeros_at(1) {
        return Some(NoLog::Utf16);
    }
    // Lines have ends, tabs, colours, and what separates auditd's names.
    let is_strange = |byte: &u8| matches!(byte, 0..=8 | 0x0e..=0x1a | 0x1c | 0x1e | 0x1f);
    head.iter().any(is_strange).then_some(NoLog::Binary)
}

impl Read for Input<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl BufRead for Input<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.0.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.0.consume(amount);
    }
}

impl fmt::Debug for Input<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Input").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    const LINE: &str = "type=CWD msg=audit(1.000:5): cwd=\"/\"\n";

    fn text(bytes: &[u8]) -> Result<String, String> {
        let mut text = String::new();
        let read = Input::open(bytes).and_then(|mut input| input.read_to_string(&mut text));
        read.map(|_| text).map_err(|error| error.to_string())
    }

    fn packed(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn text_and_what_gzip_has_packed() {
        assert_eq!(text(LINE.as_bytes()).unwrap(), LINE);
        assert_eq!(text(b"").unwrap(), "");
        assert_eq!(text(b"x").unwrap(), "x");
        assert_eq!(text(format!("\u{feff}{LINE}").as_bytes()).unwrap(), LINE);
        let long = LINE.repeat(20_000);
        assert_eq!(text(&packed(long.as_bytes())).unwrap(), long);
        // logrotate and `cat` put several after each other.
        let two = [packed(LINE.as_bytes()), packed(long.as_bytes())].concat();
        assert_eq!(text(&two).unwrap(), format!("{LINE}{long}"));
        let marked = packed(format!("\u{feff}{LINE}").as_bytes());
        assert_eq!(text(&marked).unwrap(), LINE);
        let cut = packed(long.as_bytes());
        assert!(text(&cut[..cut.len() / 2]).is_err());
    }

    #[test]
    fn what_is_no_text_says_what_it_is() {
        let utf16 = |order: fn(u16) -> [u8; 2]| LINE.encode_utf16().flat_map(order).collect();
        let (little, big): (Vec<u8>, Vec<u8>) = (utf16(u16::to_le_bytes), utf16(u16::to_be_bytes));
        for bytes in [&little[..], &big, &[b"\xff\xfe", &little[..]].concat(), &packed(&little)] {
            assert!(text(bytes).unwrap_err().contains("iconv"), "{bytes:?}");
        }
        for (bytes, said) in [
            (&b"\xfd7zXZ\0\0\x04"[..], "xz -dc"),
            (b"\x28\xb5\x2f\xfd\x04\x00", "zstd"),
            (b"LPKSHHRH\x04\x00", "journalctl"),
            (b"\x7fELF\x02\x01\x01\0\0\0\0", "binary data"),
        ] {
            assert!(text(bytes).unwrap_err().contains(said), "{bytes:?}");
        }
        let torn = [&[0; 64][..], LINE.as_bytes()].concat();
        assert_eq!(text(&torn).unwrap().len(), torn.len());
    }
}
