use std::{
    io::{PipeWriter, Read, Write as _},
    sync::{
        LazyLock,
        mpsc::{Receiver, Sender, channel},
    },
    thread,
};

use ecs::{Document, Encode, Writer, key};

use super::*;
use crate::{Backoff, Closed, Delivery, Failure, Processor};

/// Long enough for any machine, and never waited for in full.
const PATIENCE: Duration = Duration::from_secs(60);

/// An event with a number.
struct Numbered(u64);

impl Encode for Numbered {
    fn encode<W: Writer>(&self, writer: &mut W) {
        writer.number(key!("n"), self.0);
    }
}

/// An event of a megabyte that does not get smaller by packing.
struct Large;

impl Encode for Large {
    fn encode<W: Writer>(&self, writer: &mut W) {
        static NOISE: LazyLock<String> = LazyLock::new(|| {
            std::iter::repeat_with(fastrand::alphanumeric).take(1 << 20).collect()
        });
        writer.text(key!("text"), &NOISE);
    }
}

/// What a [`Scripted`] output does with a call.
enum Step {
    /// Takes this many documents and fails.
    Fail(usize, &'static str),
    /// Refuses the first document and takes the others.
    RefuseFirst,
    /// Takes all.
    Take,
}

/// An output that does what a test tells it; without orders it takes all.
struct Scripted {
    steps: Receiver<Step>,
    taken: Sender<String>,
}

impl Output for Scripted {
    fn name(&self) -> &str {
        "scripted"
    }

    fn publish(&mut self, delivery: &mut Delivery) -> Result<(), Failure> {
        let step = self.steps.try_recv().unwrap_or(Step::Take);
        let most = match step {
            Step::Fail(count, _) => count,
            Step::Take | Step::RefuseFirst => usize::MAX,
        };
        if matches!(step, Step::RefuseFirst) {
            delivery.refuse(delivery.next());
        }
        let pending: Vec<_> = delivery.pending().take(most).collect();
        for (index, document) in pending {
            self.taken.send(String::from_utf8(document.to_vec()).unwrap()).unwrap();
            delivery.take(index);
        }
        match step {
            Step::Fail(_, why) => Err(Failure::retry(why)),
            Step::Take | Step::RefuseFirst => Ok(()),
        }
    }

    fn backoff(&self) -> Backoff {
        Backoff::new(Duration::from_millis(1), Duration::from_millis(2))
    }
}

fn scripted(steps: Vec<Step>) -> (Box<dyn Output>, Receiver<String>) {
    let (step_sender, step_receiver) = channel();
    for step in steps {
        step_sender.send(step).unwrap();
    }
    let (sender, receiver) = channel();
    (Box::new(Scripted { steps: step_receiver, taken: sender }), receiver)
}

fn start(outputs: Vec<Box<dyn Output>>) -> Pipeline {
    Pipeline::start(outputs, Options::default(), || ()).unwrap()
}

fn publish(publisher: &mut Publisher, numbers: std::ops::Range<u64>) {
    for number in numbers {
        publisher.publish(&Numbered(number)).unwrap();
    }
}

fn numbers(range: std::ops::Range<u64>) -> Vec<String> {
    range.map(|number| format!("{{\"n\":{number}}}")).collect()
}

/// An output that waits for who reads, and that is at its end when nobody does any more.
struct Piped(PipeWriter);

impl Output for Piped {
    fn name(&self) -> &str {
        "pipe"
    }

    fn publish(&mut self, delivery: &mut Delivery) -> Result<(), Failure> {
        self.0
            .write_all(delivery.batch().lines_from(delivery.next()))
            .map_err(|_| Failure::closed("its reader is gone"))?;
        delivery.take_next(usize::MAX);
        Ok(())
    }
}

fn pipe() -> (io::PipeReader, Box<dyn Output>) {
    let (reader, writer) = io::pipe().unwrap();
    (reader, Box::new(Piped(writer)))
}

/// An output that never takes anything.
struct Failing;

impl Output for Failing {
    fn name(&self) -> &str {
        "failing"
    }

    fn publish(&mut self, _: &mut Delivery) -> Result<(), Failure> {
        Err(Failure::retry("it always fails"))
    }
}

#[test]
fn every_output_gets_every_document_once_and_in_order() {
    let failing =
        vec![Step::Fail(0, "away"), Step::Fail(3, "slow"), Step::Take, Step::Fail(0, "away again")];
    let ((one, from_one), (two, from_two)) = (scripted(Vec::new()), scripted(failing));
    let pipeline = start(vec![one, two]);
    let mut publisher = pipeline.publisher(Processors::default());
    publish(&mut publisher, 0..20_000);
    assert!(pipeline.flush(PATIENCE));
    publish(&mut publisher, 20_000..20_010);
    publisher.push();
    assert!(pipeline.flush(PATIENCE));
    assert_eq!(publisher.documents(), 20_010);
    let counters: Vec<_> = pipeline.counters().into_iter().map(|(_, counters)| counters).collect();
    assert_eq!(counters[0], OutputCounters { delivered: 20_010, ..OutputCounters::default() });
    assert_eq!((counters[1].delivered, counters[1].retries), (20_010, 3));
    pipeline.stop().result().unwrap();
    for received in [from_one, from_two] {
        assert!(received.iter().eq(numbers(0..20_010)));
    }
}

#[test]
fn a_refused_document_is_counted_and_does_not_hold_up_the_others() {
    let (output, received) = scripted(vec![Step::RefuseFirst]);
    let pipeline = start(vec![output]);
    publish(&mut pipeline.publisher(Processors::default()), 0..3);
    assert!(pipeline.flush(PATIENCE));
    let [(_, counters)] = pipeline.counters()[..] else { panic!("one output") };
    assert_eq!((counters.delivered, counters.refused), (2, 1));
    pipeline.stop().result().unwrap();
    assert!(received.iter().eq(numbers(1..3)));
}

#[test]
fn who_publishes_into_a_full_queue_waits() {
    let (mut reader, output) = pipe();
    let options = Options { queue_bytes: 4 << 20, ..Options::default() };
    let pipeline = Pipeline::start(vec![output], options, || ()).unwrap();
    let mut publisher = pipeline.publisher(Processors::default());
    let (sender, progress) = channel();
    let publishing = thread::spawn(move || {
        for _ in 0..32 {
            publisher.publish(&Large).unwrap();
            sender.send(()).unwrap();
        }
        publisher.waited()
    });
    // The queue has capacity for three and a part of the fourth, which is still taken.
    for _ in 0..4 {
        progress.recv_timeout(PATIENCE).unwrap();
    }
    assert!(progress.recv_timeout(Duration::from_millis(200)).is_err(), "the fifth waits");
    let reading = thread::spawn(move || {
        let mut text = Vec::new();
        reader.read_to_end(&mut text).unwrap();
        text
    });
    let waited = publishing.join().unwrap();
    assert!(waited >= Duration::from_millis(200), "{waited:?}");
    pipeline.stop().result().unwrap();
    let text = reading.join().unwrap();
    assert_eq!(text.iter().filter(|byte| **byte == b'\n').count(), 32);
}

/// An event that resembles others.
struct Similar(u64);

impl Encode for Similar {
    fn encode<W: Writer>(&self, writer: &mut W) {
        writer.number(key!("n"), self.0);
        writer.text(key!("text"), &"what all documents have in common ".repeat(30));
    }
}

#[test]
fn what_waits_is_packed_and_comes_out_as_it_went_in() {
    let (mut reader, output) = pipe();
    let (slow, received) = scripted(vec![Step::Fail(0, "away")]);
    let options = Options { queue_bytes: 4 << 20, ..Options::default() };
    let pipeline = Pipeline::start(vec![output, slow], options, || ()).unwrap();
    let mut publisher = pipeline.publisher(Processors::default());
    // Five times what the queue holds: the pipe takes nothing, so that all of it waits.
    let count = 20_000;
    for number in 0..count {
        publisher.publish(&Similar(number)).unwrap();
    }
    publisher.push();
    let reading = thread::spawn(move || {
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        text
    });
    pipeline.stop().result().unwrap();
    let text = reading.join().unwrap();
    let expected: Vec<String> = (0..count)
        .map(|number| {
            let mut line = Vec::new();
            ecs::write_json(&Similar(number), &mut line);
            String::from_utf8(line).unwrap()
        })
        .collect();
    assert!(text.lines().eq(expected.iter()), "{} lines", text.lines().count());
    assert!(received.iter().eq(expected));
}

#[test]
fn the_end_of_all_outputs_is_told_to_who_publishes() {
    let (reader, output) = pipe();
    drop(reader);
    let pipeline = start(vec![output]);
    let mut publisher = pipeline.publisher(Processors::default());
    let deadline = Instant::now() + PATIENCE;
    while publisher.publish(&Numbered(1)).is_ok() {
        publisher.push();
        assert!(Instant::now() < deadline);
    }
    assert_eq!(publisher.publish(&Numbered(1)), Err(Closed));
    let error = pipeline.stop().result().unwrap_err().to_string();
    assert!(error.contains("did not reach pipe"), "{error}");
}

#[test]
fn who_asked_is_told_once_that_no_output_is_left() {
    let (reader, ending) = pipe();
    let (other_reader, other) = pipe();
    let pipeline = start(vec![ending, other]);
    let (sender, notified) = channel();
    pipeline.at_end(move || sender.send(()).unwrap());
    let mut publisher = pipeline.publisher(Processors::default());
    drop(reader);
    publish(&mut publisher, 0..1);
    publisher.push();
    assert!(notified.recv_timeout(Duration::from_millis(100)).is_err() && !pipeline.is_at_end());
    drop(other_reader);
    publish(&mut publisher, 0..1);
    publisher.push();
    notified.recv_timeout(PATIENCE).unwrap();
    assert!(pipeline.is_at_end() && notified.recv().is_err(), "once");
    let (sender, notified) = channel();
    pipeline.at_end(move || sender.send(()).unwrap());
    notified.recv_timeout(PATIENCE).unwrap();
    pipeline.stop().result().unwrap_err();
}

#[test]
fn one_output_that_ends_leaves_the_others_alone() {
    let (reader, ending) = pipe();
    drop(reader);
    let (output, received) = scripted(Vec::new());
    let pipeline = start(vec![ending, output]);
    let mut publisher = pipeline.publisher(Processors::default());
    for round in 0..10 {
        publish(&mut publisher, round * 100..(round + 1) * 100);
        assert!(pipeline.flush(PATIENCE));
    }
    pipeline.stop().result().unwrap_err();
    assert!(received.iter().eq(numbers(0..1000)));
}

#[test]
fn what_cannot_be_delivered_at_the_end_is_counted() {
    let options = Options { shutdown_timeout: Duration::from_millis(50), ..Options::default() };
    let (other, received) = scripted(Vec::new());
    let pipeline = Pipeline::start(vec![Box::new(Failing), other], options, || ()).unwrap();
    let mut publisher = pipeline.publisher(Processors::default());
    publish(&mut publisher, 0..50);
    publisher.push();
    assert!(!pipeline.flush(Duration::from_millis(10)));
    publish(&mut publisher, 50..100);
    let error = pipeline.stop().result().unwrap_err();
    assert_eq!(error.outputs, [("failing".to_owned(), 100)]);
    assert_eq!(error.to_string(), "100 documents did not reach failing");
    assert_eq!(received.iter().count(), 100);
}

/// Adds a field, and drops every third document.
struct Third(u64);

impl Processor for Third {
    fn process(&mut self, document: &mut Document) -> bool {
        self.0 += 1;
        document.put("labels.env", "test".into()).unwrap();
        !self.0.is_multiple_of(3)
    }
}

#[test]
fn processors_change_and_drop_documents() {
    let (output, received) = scripted(Vec::new());
    let pipeline = start(vec![output]);
    let mut publisher = pipeline.publisher(Processors::new(vec![Box::new(Third(0))]));
    publish(&mut publisher, 0..4);
    assert_eq!((publisher.documents(), publisher.dropped()), (3, 1));
    pipeline.stop().result().unwrap();
    let expected = [0, 1, 3].map(|n| format!("{{\"n\":{n},\"labels\":{{\"env\":\"test\"}}}}"));
    assert!(received.iter().eq(expected));
}

#[test]
fn a_tap_sees_what_it_can_and_holds_up_nobody() {
    let (output, received) = scripted(Vec::new());
    let pipeline = start(vec![output]);
    let tap = pipeline.tap(2);
    let mut publisher = pipeline.publisher(Processors::default());
    for number in 0..5 {
        publish(&mut publisher, number..number + 1);
        publisher.push();
    }
    let seen = [tap.next(PATIENCE).unwrap(), tap.next(PATIENCE).unwrap()];
    assert_eq!(seen[1].document(0).unwrap(), "{\"n\":1}");
    assert_eq!(tap.missed(), 3);
    pipeline.stop().result().unwrap();
    assert_eq!(received.iter().count(), 5);
}
