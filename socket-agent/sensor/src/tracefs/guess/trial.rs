//! One trial: probes that dump memory, and an action that makes them.

use std::{fs, time::Instant};

use super::Guesses;
use crate::{
    perf::{Merge, Rings, What},
    tracefs::{
        format::{self, Layout},
        probe::{Base, Field, Line},
    },
};

/// Words that one probe fetches at most: more would make its line too long.
pub(super) const WORDS: usize = 100;

/// Dump that a probe of a trial makes.
#[derive(Clone, Debug)]
pub(super) struct Spec {
    pub(super) function: &'static str,
    /// Expressions that are fetched as they are, such as registers.
    pub(super) values: Vec<String>,
    /// Expressions of addresses, with the distance from there and the number of words.
    pub(super) memory: Vec<(String, i64, usize)>,
}

/// A hit of a probe.
#[derive(Clone, Debug)]
pub(super) struct Hit {
    /// Index of the probe among those of the trial.
    pub(super) spec: usize,
    pub(super) values: Vec<u64>,
    pub(super) memory: Vec<Vec<u8>>,
}

impl Hit {
    /// The first piece of memory.
    pub(super) fn dump(&self) -> &[u8] {
        self.memory.first().map_or(&[], Vec::as_slice)
    }
}

impl Spec {
    /// Dumps what an expression names.
    pub(super) fn dump(function: &'static str, values: &[&str], base: &str, words: usize) -> Self {
        let values = values.iter().map(|value| (*value).to_owned()).collect();
        Self { function, values, memory: vec![(base.to_owned(), 0, words)] }
    }
}

impl Guesses<'_> {
    /// Expression of an argument of a function.
    pub(super) fn argument(&self, index: usize) -> Result<&'static str, String> {
        self.abi.argument(index).ok_or_else(|| format!("argument {index} is in no register"))
    }

    /// Runs an action with probes in place until `enough` can make something of the hits in this
    /// process, or time is up.
    pub(super) fn trial<T>(
        &mut self,
        specs: &[Spec],
        mut action: impl FnMut() -> std::io::Result<()>,
        mut enough: impl FnMut(&[Hit]) -> Result<T, String>,
    ) -> Result<T, String> {
        let end = Instant::now() + self.timeout;
        let mut rings = Rings::open(5).map_err(|error| error.to_string())?;
        let mut kinds = Vec::new();
        let mut written = Vec::new();
        for (index, spec) in specs.iter().enumerate() {
            let event = format!("guess_{index}");
            match self.dumping(&event, spec, &mut rings) {
                Ok((id, layout)) => kinds.push((id, layout, index)),
                Err(error) => log::debug!(target: "sensor", "{}: {error}", spec.function),
            }
            written.push(event);
        }
        let mut run = || -> Result<T, String> {
            rings.enable().map_err(|error| error.to_string())?;
            let mut all = Vec::new();
            loop {
                action().map_err(|error| format!("the action failed: {error}"))?;
                all.extend(hits(&mut rings, &kinds, specs));
                match enough(&all) {
                    Ok(found) => return Ok(found),
                    Err(reason) if Instant::now() >= end => return Err(reason),
                    Err(_) => {}
                }
            }
        };
        let result = run();
        drop(rings);
        for event in written {
            // One that was refused is not there.
            let _ = self.group.remove(&event);
        }
        result
    }

    fn dumping(
        &mut self,
        event: &str,
        spec: &Spec,
        rings: &mut Rings,
    ) -> Result<(u16, Layout), String> {
        let offsets = self.offsets.clone();
        let mut line = Line::new(self.abi, &offsets);
        for (index, value) in spec.values.iter().enumerate() {
            line.raw(&Field::Word.numbered(index), value, self.abi.word);
        }
        let mut index = spec.values.len();
        for (base, start, words) in &spec.memory {
            for word in 0..*words {
                let distance = start + i64::try_from(8 * word).unwrap_or(0);
                line.at(&Field::Word.numbered(index), &Base(base.clone()), distance, 8);
                index += 1;
            }
        }
        let text = line.text("p", &self.group.full_name(event), spec.function);
        self.group.add(event, &text).map_err(|error| error.to_string())?;
        let directory = self.group.description(event);
        let id = format::id(&directory).map_err(|error| error.to_string())?;
        let described = fs::read_to_string(directory.join("format"));
        let layout = Layout::parse(&described.map_err(|error| error.to_string())?, &[]);
        rings.add(id.into(), None).map_err(|error| error.to_string())?;
        Ok((id, layout))
    }
}

/// The hits of this process that wait in the rings, in order.
fn hits(rings: &mut Rings, kinds: &[(u16, Layout, usize)], specs: &[Spec]) -> Vec<Hit> {
    let me = std::process::id();
    let mut merge = Merge::new(usize::MAX);
    rings.read(&mut |record, _| {
        if let Some(record) = record.filter(|record| record.pid == me) {
            merge.push(record);
        }
    });
    let records = merge.take(u64::MAX);
    let hits = records.iter().filter_map(|record| {
        let What::Sample(raw) = &record.what else { return None };
        let id = format::id_of(raw)?;
        let (_, layout, index) = kinds.iter().find(|(kind, _, _)| *kind == id)?;
        let spec = &specs[*index];
        let word = size_of::<usize>();
        let memory: usize = spec.memory.iter().map(|(_, _, words)| words).sum();
        let bytes = layout.bytes(raw, Field::Word, word * spec.values.len() + 8 * memory);
        let (values, mut rest) = bytes.split_at_checked(word * spec.values.len())?;
        let values = values.chunks(word).filter_map(|value| super::search::number(value, 0, word));
        let memory = spec.memory.iter().filter_map(|(_, _, words)| {
            let (piece, after) = rest.split_at_checked(8 * words)?;
            rest = after;
            Some(piece.to_vec())
        });
        Some(Hit { spec: *index, values: values.collect(), memory: memory.collect() })
    });
    hits.collect()
}
