//! Records in, documents out.
//!
//! The one way that records take, live or from a log: parser, reassembly, normalisation and JSON.
//! Memory is used again from event to event: in the steady state nothing is allocated for a field.

use std::time::Duration;

use ecs::EventSink;

use super::{
    document::{self, Context, EventDocument},
    normalise::{IdNames, Normal, normalise},
    reassembly::{self, Counters, Event, Reassembler},
    records::{Kind, ParseError, Record},
};

/// What the host knows about an event beyond its records.
pub trait EventContext {
    /// Whether there is to be a document about an event at all.
    fn wants(&mut self, _: &Normal<'_>) -> bool {
        true
    }

    /// Host, agent, container and process of an event.
    fn context<'a>(&'a mut self, normal: &Normal<'_>) -> Context<'a>;
}

/// Knows nothing: for logs, which may be of another host.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoContext;

impl EventContext for NoContext {
    fn context<'a>(&'a mut self, _: &Normal<'_>) -> Context<'a> {
        Context::default()
    }
}

/// Totals of a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Counters of the reassembly.
    pub counters: Counters,
    /// Texts that are not records.
    pub unparsed: u64,
    /// Number of warnings about events.
    pub warnings: u64,
}

/// Turns records into documents.
pub struct Stream {
    document: document::Options,
    reassembler: Reassembler,
    names: Box<dyn IdNames + Send>,
    /// Events that have left the reassembly and are not yet documents.
    ready: Vec<Event>,
    unparsed: u64,
    warnings: u64,
}

impl Stream {
    /// An empty one; `names` gives the names of users and groups.
    pub fn new(
        limits: reassembly::Options,
        document: document::Options,
        names: Box<dyn IdNames + Send>,
    ) -> Self {
        Self {
            document,
            reassembler: Reassembler::new(limits),
            names,
            ready: Vec::new(),
            unparsed: 0,
            warnings: 0,
        }
    }

    /// Takes a record in the kernel's form, whose type stands in the netlink header and which
    /// arrived at `now`, the time since any fixed moment. All events that left go to `out`.
    ///
    /// # Errors
    /// The text is not a record; it is counted and nothing else happens.
    pub fn push(
        &mut self,
        kind: Kind,
        text: &[u8],
        now: Duration,
        known: &mut dyn EventContext,
        out: &mut impl EventSink,
    ) -> Result<(), ParseError> {
        let mut record = self.reassembler.blank();
        let read = record.read_kernel(kind, text);
        self.take(record, read, now, known, out)
    }

    /// Takes a record in the form of auditd's log.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn push_line(
        &mut self,
        line: &[u8],
        now: Duration,
        known: &mut dyn EventContext,
        out: &mut impl EventSink,
    ) -> Result<(), ParseError> {
        let mut record = self.reassembler.blank();
        let read = record.read_line(line);
        self.take(record, read, now, known, out)
    }

    /// Gives out the events that have waited for too long. To be called at [`deadline`].
    ///
    /// [`deadline`]: Self::deadline
    pub fn tick(&mut self, now: Duration, known: &mut dyn EventContext, out: &mut impl EventSink) {
        let Self { reassembler, ready, .. } = self;
        reassembler.expire(now, |event| ready.push(event));
        self.write(known, out);
    }

    /// Separates events, as [`Reassembler::separate`] does.
    pub fn separate(&mut self) {
        self.reassembler.separate();
    }

    /// Ends a source, as [`Reassembler::end_source`] does.
    pub fn end_source(&mut self, known: &mut dyn EventContext, out: &mut Vec<u8>) {
        let Self { reassembler, ready, .. } = self;
        reassembler.end_source(|event| ready.push(event));
        self.write(known, out);
    }

    /// When [`tick`](Self::tick) has something to do next; `None` if nothing waits.
    pub fn deadline(&self) -> Option<Duration> {
        self.reassembler.deadline()
    }

    /// Gives out all that waits, and counts all numbers that are missing as lost.
    pub fn finish(&mut self, known: &mut dyn EventContext, out: &mut impl EventSink) {
        let Self { reassembler, ready, .. } = self;
        reassembler.flush(|event| ready.push(event));
        self.write(known, out);
    }

    /// Totals so far.
    pub fn totals(&self) -> Totals {
        Totals {
            counters: self.reassembler.counters(),
            unparsed: self.unparsed,
            warnings: self.warnings,
        }
    }

    fn take(
        &mut self,
        record: Record,
        read: Result<(), ParseError>,
        now: Duration,
        known: &mut dyn EventContext,
        out: &mut impl EventSink,
    ) -> Result<(), ParseError> {
        if let Err(error) = read {
            self.unparsed += 1;
            self.reassembler.recycle_record(record);
            return Err(error);
        }
        let Self { reassembler, ready, .. } = self;
        reassembler.push(record, now, |event| ready.push(event));
        self.write(known, out);
        Ok(())
    }

    fn write(&mut self, known: &mut dyn EventContext, out: &mut impl EventSink) {
        for event in self.ready.drain(..) {
            self.names.tick();
            // Too large to be moved about.
            let normal = normalise(&event, &mut *self.names);
            if let Some(normal) = &normal
                && known.wants(normal)
            {
                self.warnings += normal.warnings.len() as u64;
                let context = known.context(normal);
                out.emit(&EventDocument { normal, context, options: self.document });
            }
            self.reassembler.recycle(event);
        }
    }
}
