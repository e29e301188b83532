//! Answers that no healthy kernel gives on demand.

use std::{collections::VecDeque, io, time::Duration};

use super::{
    Control, Fault, Setting, Transport,
    message::{ACK, DONE, ERROR, GET, LIST_RULES, Message, request},
};

/// What a receive gives: a datagram made with the sequence of the last request, silence or an error.
type Turn = Box<dyn FnMut(u32) -> io::Result<Option<Vec<u8>>>>;

#[derive(Default)]
struct Script {
    turns: VecDeque<Turn>,
    sent: Vec<u16>,
    sequence: u32,
}

impl Script {
    fn then(mut self, turn: impl FnMut(u32) -> io::Result<Option<Vec<u8>>> + 'static) -> Self {
        self.turns.push_back(Box::new(turn));
        self
    }

    fn answer(self, kind: u16, words: &'static [u32]) -> Self {
        self.then(move |sequence| Ok(Some(message(kind, sequence, words))))
    }

    fn fail(self, errno: i32) -> Self {
        self.then(move |_| Err(io::Error::from_raw_os_error(errno)))
    }
}

fn message(kind: u16, sequence: u32, words: &[u32]) -> Vec<u8> {
    let payload: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
    request(kind, 0, sequence, &payload)
}

impl Transport for Script {
    fn send(&mut self, datagram: &[u8]) -> io::Result<()> {
        let message = Message::parse(datagram).unwrap();
        self.sequence = message.sequence;
        self.sent.push(message.kind);
        assert_eq!(datagram[6] & ACK as u8 != 0, !matches!(message.kind, GET | LIST_RULES));
        Ok(())
    }

    fn receive(&mut self, buffer: &mut Vec<u8>, _: Duration) -> io::Result<bool> {
        let mut turn = self.turns.pop_front().expect("another answer is asked for");
        let Some(datagram) = turn(self.sequence)? else { return Ok(false) };
        *buffer = datagram;
        Ok(true)
    }
}

const STATUS: &[u32] = &[0, 1, 2, 0, 0, 64, 3, 4];

#[test]
fn messages_of_others_are_passed_over_and_counted() {
    let script = Script::default()
        .then(|sequence| Ok(Some(message(GET, sequence.wrapping_sub(1), STATUS))))
        .then(|_| Ok(Some(vec![1, 2, 3])))
        .fail(libc::EINTR)
        .answer(1300, &[])
        .answer(GET, STATUS);
    let mut control = Control::new(script);
    assert_eq!(control.status().unwrap().lost, 3);
    let counters = control.counters();
    assert_eq!((counters.foreign, counters.short, counters.overruns), (1, 1, 0));
}

#[test]
fn lost_answers_are_asked_for_again() {
    let script = Script::default()
        .fail(libc::ENOBUFS)
        .answer(GET, STATUS)
        // The rule was loaded by the first request, whose answer was lost.
        .fail(libc::ENOBUFS)
        .answer(ERROR, &[-libc::EEXIST as u32])
        .answer(LIST_RULES, &[1])
        .fail(libc::ENOBUFS)
        .answer(LIST_RULES, &[1])
        .answer(LIST_RULES, &[2])
        .answer(DONE, &[]);
    let mut control = Control::new(script);
    control.status().unwrap();
    control.add_rule(&[0; 4]).unwrap();
    assert_eq!(control.rules().unwrap().len(), 2);
    assert_eq!(control.counters().overruns, 3);
}

#[test]
fn refusals_name_what_was_asked_for_and_a_remedy() {
    let script = Script::default()
        .answer(ERROR, &[-libc::EEXIST as u32])
        .answer(ERROR, &[-libc::EPERM as u32])
        .answer(ERROR, &[-libc::ECONNREFUSED as u32])
        .answer(ERROR, &[0]);
    let mut control = Control::new(script);
    let error = control.add_rule(&[0; 4]).unwrap_err();
    assert_eq!(error.fault.errno(), Some(libc::EEXIST));
    assert_eq!(
        control.set(Setting::RateLimit(1)).unwrap_err().to_string(),
        "audit: setting the rate limit: Operation not permitted (os error 1); run as root in the \
         initial user and pid namespace, or grant CAP_AUDIT_CONTROL"
    );
    let error = control.status().unwrap_err().to_string();
    assert!(error.contains("CONFIG_AUDIT=y"), "{error}");
    control.set(Setting::BacklogLimit(1)).unwrap();
}

#[test]
fn silence_and_short_answers_are_errors_and_never_waited_for_without_end() {
    let script = Script::default().then(|_| Ok(None)).answer(GET, &[1, 2, 3]).answer(ERROR, &[]);
    let mut control = Control::new(script);
    assert!(matches!(control.status().unwrap_err().fault, Fault::Silent(5)));
    assert!(matches!(control.status().unwrap_err().fault, Fault::Short(12)));
    assert!(matches!(control.trim().unwrap_err().fault, Fault::Short(0)));

    let mut full = Script::default();
    for _ in 0..4 {
        full = full.fail(libc::ENOBUFS);
    }
    let mut control = Control::new(full);
    let error = control.status().unwrap_err();
    assert_eq!((error.fault.errno(), control.counters().overruns), (Some(libc::ENOBUFS), 4));
}
