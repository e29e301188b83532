//! Records in a ring.

const RECORD_LOST: u32 = 2;
const RECORD_COMM: u32 = 3;
const RECORD_EXIT: u32 = 4;
const RECORD_FORK: u32 = 7;
const RECORD_SAMPLE: u32 = 9;

/// Bytes at the end of each record that is no sample: thread, time, CPU.
const TRAILER: usize = 24;
/// Bytes before the raw part of a sample: header, thread, time, CPU, length.
const BEFORE_RAW: usize = 8 + 8 + 8 + 8 + 4;

/// One record, with the time of the events' clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) time: u64,
    pub(crate) cpu: u32,
    /// Process and thread in whose context it was made.
    pub(crate) pid: u32,
    pub(crate) tid: u32,
    pub(crate) what: What,
}

/// Kind of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// A trace event, as tracefs describes it.
    Sample(Box<[u8]>),
    /// Samples that found the ring full.
    Lost(u64),
    /// A thread has a new name.
    Comm { pid: u32, tid: u32, comm: [u8; 16] },
    /// A thread began.
    Fork { pid: u32, tid: u32, parent: u32 },
    /// A thread ended.
    Exit { pid: u32, tid: u32 },
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn long(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_ne_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

impl Record {
    /// Reads a whole record; `None` for kinds that nobody asked for, and malformed ones.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let kind = word(bytes, 0)?;
        if kind == RECORD_SAMPLE {
            let length = word(bytes, BEFORE_RAW - 4)? as usize;
            let raw = bytes.get(BEFORE_RAW..BEFORE_RAW + length)?;
            return Some(Self {
                pid: word(bytes, 8)?,
                tid: word(bytes, 12)?,
                time: long(bytes, 16)?,
                cpu: word(bytes, 24)?,
                what: What::Sample(raw.into()),
            });
        }
        let what = match kind {
            RECORD_LOST => What::Lost(long(bytes, 16)?),
            RECORD_COMM => {
                let mut comm = [0; 16];
                let text = bytes.get(16..bytes.len().checked_sub(TRAILER)?)?;
                let length = text.iter().position(|byte| *byte == 0).unwrap_or(text.len()).min(15);
                comm[..length].copy_from_slice(&text[..length]);
                What::Comm { pid: word(bytes, 8)?, tid: word(bytes, 12)?, comm }
            }
            RECORD_FORK => {
                What::Fork { pid: word(bytes, 8)?, parent: word(bytes, 12)?, tid: word(bytes, 16)? }
            }
            RECORD_EXIT => What::Exit { pid: word(bytes, 8)?, tid: word(bytes, 16)? },
            _ => return None,
        };
        let trailer = bytes.len().checked_sub(TRAILER)?;
        Some(Self {
            pid: word(bytes, trailer)?,
            tid: word(bytes, trailer + 4)?,
            time: long(bytes, trailer + 8)?,
            cpu: word(bytes, trailer + 16)?,
            what,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A record of these words.
    fn bytes(words: &[u32]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_ne_bytes()).collect()
    }

    #[test]
    fn a_sample() {
        let words = [RECORD_SAMPLE, 48, 10, 11, 5, 0, 3, 0, 8, 0xabcd, 7, 0];
        let record = Record::parse(&bytes(&words)).unwrap();
        assert_eq!((record.pid, record.tid, record.time, record.cpu), (10, 11, 5, 3));
        assert_eq!(record.what, What::Sample(bytes(&[0xabcd, 7]).into()));
    }

    #[test]
    fn records_of_other_kinds_end_with_thread_time_and_cpu() {
        let trailer = [10, 11, 5, 0, 3, 0];
        let lost = [&[RECORD_LOST, 48, 1, 0, 44, 0][..], &trailer].concat();
        let record = Record::parse(&bytes(&lost)).unwrap();
        assert_eq!((record.time, record.cpu, record.what), (5, 3, What::Lost(44)));
        let fork = [&[RECORD_FORK, 56, 20, 10, 21, 10, 5, 0][..], &trailer].concat();
        let record = Record::parse(&bytes(&fork)).unwrap();
        assert_eq!(record.what, What::Fork { pid: 20, tid: 21, parent: 10 });
        let name = u32::from_ne_bytes(*b"abc\0");
        let comm = [&[RECORD_COMM, 48, 20, 21, name, 0][..], &trailer].concat();
        let record = Record::parse(&bytes(&comm)).unwrap();
        let What::Comm { comm, .. } = record.what else { panic!("{record:?}") };
        assert_eq!(&comm[..5], b"abc\0\0");
    }

    #[test]
    fn nonsense_is_refused() {
        assert_eq!(Record::parse(&[]), None);
        assert_eq!(Record::parse(&bytes(&[RECORD_SAMPLE, 40, 0, 0, 0, 0, 0, 0, 999, 0])), None);
        assert_eq!(Record::parse(&bytes(&[RECORD_COMM, 16, 1])), None);
        assert_eq!(Record::parse(&bytes(&[77, 48, 0, 0, 0, 0])), None);
    }
}
