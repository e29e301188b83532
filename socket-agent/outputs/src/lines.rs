//! Documents as lines, written to a descriptor.

use std::{
    fs,
    io::{self, ErrorKind, Write as _},
    os::fd::{AsFd as _, BorrowedFd},
};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use pipeline::Delivery;

use crate::codec::Codec;

/// A descriptor that takes lines. Each write begins with a whole document, and holds whole documents as
/// far as the descriptor takes them, so that several processes can append to one file.
#[derive(Debug)]
pub(crate) struct LineWriter {
    file: fs::File,
    /// Bytes of the next document that were written already.
    written: usize,
}

/// Documents of a batch as they are to be written, from one on.
struct Lines {
    first: usize,
    text: Vec<u8>,
    /// Positions of the ends of documents.
    ends: Vec<usize>,
}

/// Result of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wrote {
    /// Everything was written.
    All,
    /// The next document does not fit any more.
    Full,
}

// === impl LineWriter ===

impl LineWriter {
    pub(crate) fn new(file: fs::File) -> Self {
        Self { file, written: 0 }
    }

    pub(crate) fn file(&self) -> &fs::File {
        &self.file
    }

    /// Whether a part of a document was written, of which the rest belongs behind it.
    pub(crate) fn is_within_a_document(&self) -> bool {
        self.written > 0
    }

    /// Writes what is not settled, of which whole documents as long as they fit into so many bytes, the first
    /// in any case if `at_least_one` says so. What the codec cannot write is refused. After an error, calling again
    /// goes on in the middle of a document, if that is where it stopped.
    pub(crate) fn write(
        &mut self,
        delivery: &mut Delivery,
        codec: &Codec,
        capacity: u64,
        at_least_one: bool,
    ) -> io::Result<Wrote> {
        match codec {
            Codec::Plain => self.write_plain(delivery, capacity, at_least_one),
            codec => self.write_encoded(delivery, codec, capacity, at_least_one),
        }
    }

    fn write_plain(
        &mut self,
        delivery: &mut Delivery,
        capacity: u64,
        at_least_one: bool,
    ) -> io::Result<Wrote> {
        let mut capacity = usize::try_from(capacity).unwrap_or(usize::MAX);
        let mut first = at_least_one || self.is_within_a_document();
        loop {
            let from = delivery.next();
            let all = delivery.batch().lines_from(from);
            let fitting =
                fitting(delivery, all.len(), capacity.saturating_add(self.written), first);
            if all.is_empty() {
                return Ok(Wrote::All);
            }
            if fitting == 0 {
                return Ok(Wrote::Full);
            }
            let rest = all.get(self.written..fitting).unwrap_or_default();
            let count = write_some(&mut self.file, rest)?;
            let (whole, partial) = delivery.batch().split(from, self.written + count);
            delivery.take_next(whole);
            self.written = partial;
            capacity = capacity.saturating_sub(count);
            first = self.is_within_a_document();
        }
    }

    fn write_encoded(
        &mut self,
        delivery: &mut Delivery,
        codec: &Codec,
        capacity: u64,
        at_least_one: bool,
    ) -> io::Result<Wrote> {
        let mut capacity = usize::try_from(capacity).unwrap_or(usize::MAX);
        let lines = Lines::encode(delivery, codec);
        let mut first = at_least_one || self.is_within_a_document();
        for (number, end) in lines.ends.iter().enumerate() {
            let index = lines.first + number;
            let start =
                number.checked_sub(1).and_then(|before| lines.ends.get(before)).unwrap_or(&0);
            if start == end {
                // Refused.
                continue;
            }
            if !first && end - start > capacity {
                return Ok(Wrote::Full);
            }
            while start + self.written < *end {
                let rest = lines.text.get(start + self.written..*end).unwrap_or_default();
                let count = write_some(&mut self.file, rest)?;
                self.written += count;
                capacity = capacity.saturating_sub(count);
            }
            self.written = 0;
            first = false;
            delivery.take(index);
        }
        Ok(Wrote::All)
    }
}

// === impl Lines ===

impl Lines {
    /// Encodes what is not settled, and refuses what cannot be encoded.
    fn encode(delivery: &mut Delivery, codec: &Codec) -> Self {
        let mut lines = Self { first: delivery.next(), text: Vec::new(), ends: Vec::new() };
        let mut reason = None;
        for index in lines.first..delivery.batch().len() {
            let start = lines.text.len();
            let Some(document) = delivery.batch().document(index) else { break };
            match codec.write(&document, &mut lines.text) {
                Ok(()) => lines.text.push(b'\n'),
                Err(error) => {
                    lines.text.truncate(start);
                    delivery.refuse(index);
                    reason.get_or_insert(error);
                }
            }
            lines.ends.push(lines.text.len());
        }
        if let Some(reason) = reason {
            log::warn!(target: "output", "documents that codec.format cannot write are refused: {reason}");
        }
        lines
    }
}

/// Bytes of whole documents, from the next on, that fit into so many; those of the first in any case if
/// `at_least_one` says so.
fn fitting(delivery: &Delivery, all: usize, capacity: usize, at_least_one: bool) -> usize {
    if all <= capacity {
        return all;
    }
    let batch = delivery.batch();
    let from = delivery.next();
    let (whole, partial) = batch.split(from, capacity);
    if whole == 0 && at_least_one {
        return batch.document(from).map_or(0, |document| document.len() + 1);
    }
    capacity - partial
}

/// Writes some of it; how much. Waits for a descriptor that others made non-blocking.
fn write_some(file: &mut fs::File, bytes: &[u8]) -> io::Result<usize> {
    loop {
        match file.write(bytes) {
            Ok(0) if !bytes.is_empty() => return Err(ErrorKind::WriteZero.into()),
            Ok(count) => return Ok(count),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => wait_writable(file.as_fd())?,
            Err(error) => return Err(error),
        }
    }
}

/// Standard output may be a non-blocking descriptor that others share: wait rather than change it.
fn wait_writable(descriptor: BorrowedFd<'_>) -> io::Result<()> {
    let mut descriptors = [PollFd::new(descriptor, PollFlags::POLLOUT)];
    match poll(&mut descriptors, PollTimeout::NONE) {
        Ok(_) | Err(nix::errno::Errno::EINTR) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

/// Remedy after a failed write.
pub(crate) fn write_remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "free some space",
        ErrorKind::FileTooLarge => "move the file away or raise its limit",
        ErrorKind::ReadOnlyFilesystem => "mount the file system for writing",
        _ => "check what it leads to",
    }
}

/// What helps where a file cannot be opened.
pub(crate) fn open_remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::NotFound => "create its directory first",
        ErrorKind::PermissionDenied => {
            "make the file and its directory writable for the user that the agent runs as"
        }
        ErrorKind::ReadOnlyFilesystem => {
            "choose a file on a file system that is mounted for writing"
        }
        ErrorKind::IsADirectory => "name a file in that directory",
        ErrorKind::NotADirectory => "name a directory as its path",
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "free some space",
        _ => "choose another file",
    }
}
