//! The records of all CPUs in the order of their time.

use std::collections::HashMap;

use super::record::Record;

/// Records that wait until no older one can come.
#[derive(Debug, Default)]
pub(crate) struct Merge {
    waiting: Vec<Record>,
    /// Limit of the records that wait.
    limit: usize,
    /// Time of the newest record that was given out.
    given: u64,
    disordered: u64,
    /// Time of the last record of each CPU, where clocks may run back.
    last: Option<HashMap<u32, u64>>,
}

impl Merge {
    /// Lets at most `limit` records wait; beyond that the oldest go on, whatever their time.
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit: limit.max(1), ..Self::default() }
    }

    /// From now on the order of a CPU's ring counts more than the times of its records: the clock may run back.
    /// That of CentOS 7's kernel was seen to do so by most of a millisecond.
    pub(crate) fn keep_rings(&mut self) {
        self.last = Some(HashMap::new());
    }

    /// Adds a record; those of one CPU come in the order of its ring.
    pub(crate) fn push(&mut self, mut record: Record) {
        if let Some(last) = &mut self.last {
            let last = last.entry(record.cpu).or_default();
            record.time = record.time.max(*last);
            *last = record.time;
        }
        self.waiting.push(record);
    }

    /// Takes all records up to a time, in order.
    pub(crate) fn take(&mut self, until: u64) -> Vec<Record> {
        self.waiting.sort_by_key(|record| record.time);
        let ripe = self.waiting.partition_point(|record| record.time <= until);
        let count = ripe.max(self.waiting.len().saturating_sub(self.limit));
        let taken: Vec<_> = self.waiting.drain(..count).collect();
        self.disordered += taken.iter().filter(|record| record.time < self.given).count() as u64;
        self.given = taken.last().map_or(self.given, |record| record.time.max(self.given));
        taken
    }

    /// Records that were given out behind younger ones.
    pub(crate) fn disordered(&self) -> u64 {
        self.disordered
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::perf::What;

    fn record(time: u64) -> Record {
        Record { time, cpu: 0, pid: 0, tid: 0, what: What::Lost(0) }
    }

    fn times(records: &[Record]) -> Vec<u64> {
        records.iter().map(|record| record.time).collect()
    }

    #[test]
    fn rings_are_merged_by_time_up_to_what_is_certain() {
        let mut merge = Merge::new(100);
        [5, 9, 12].into_iter().chain([1, 8, 20]).for_each(|time| merge.push(record(time)));
        assert_eq!(times(&merge.take(10)), [1, 5, 8, 9]);
        merge.push(record(11));
        assert_eq!(times(&merge.take(u64::MAX)), [11, 12, 20]);
        assert_eq!(merge.disordered(), 0);
    }

    #[test]
    fn a_clock_that_runs_back_leaves_the_order_of_a_ring() {
        let mut merge = Merge::new(100);
        merge.keep_rings();
        [5, 9, 7, 12].into_iter().for_each(|time| merge.push(record(time)));
        merge.push(Record { cpu: 1, ..record(6) });
        let taken = merge.take(u64::MAX);
        assert_eq!(times(&taken), [5, 6, 9, 9, 12]);
        assert_eq!(taken[1].cpu, 1);
    }

    #[test]
    fn a_full_queue_gives_out_the_oldest_and_counts_what_comes_too_late() {
        let mut merge = Merge::new(2);
        [10, 11, 12, 13].into_iter().for_each(|time| merge.push(record(time)));
        assert_eq!(times(&merge.take(0)), [10, 11]);
        merge.push(record(5));
        assert_eq!(times(&merge.take(u64::MAX)), [5, 12, 13]);
        assert_eq!(merge.disordered(), 1);
    }
}
