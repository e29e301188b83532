use std::{collections::VecDeque, os::fd::BorrowedFd, thread};

use socket_common::Flow;

use super::*;
use sensor::Records;

/// Records of a sensor that is not there.
struct Fake(VecDeque<Event>);

impl Records for Fake {
    fn descriptor(&self) -> BorrowedFd<'_> {
        unreachable!("nobody waits for it")
    }

    fn next_event(&mut self) -> Option<Event> {
        self.0.pop_front()
    }
}

fn flow(id: u64) -> Event {
    Event::Closed(Flow { id, ..Flow::default() })
}

fn fork(pid: u32) -> Event {
    Event::Fork(ForkEvent { pid, ..ForkEvent::default() })
}

/// A service with these records in its ring.
fn with(flows: bool, events: impl IntoIterator<Item = Event>) -> KernelEvents {
    let service = KernelEvents::default();
    drop(service.prepare(!flows).unwrap());
    service.begin(Reader::new(Box::new(Fake(events.into_iter().collect())), None));
    service
}

fn ids(delivered: Vec<Delivered>) -> Vec<u64> {
    let id = |delivered| match delivered {
        Delivered::Event(Event::Closed(flow)) => flow.id,
        Delivered::Event(Event::Fork(fork)) => fork.pid.into(),
        _ => panic!("another record"),
    };
    delivered.into_iter().map(id).collect()
}

#[test]
fn a_dataset_gets_all_in_order_and_the_table_the_processes() {
    let service = with(true, [flow(1), fork(2), flow(3)]);
    assert!(service.drain());
    assert_eq!(ids(service.flows.take(Vec::new())), [1, 2, 3]);
    let processes = service.take_processes();
    assert!(matches!(processes[..], [ProcessEvent::Fork(ForkEvent { pid: 2, .. })]));
    assert!(service.flows.is_empty() && service.take_processes().is_empty());
}

#[test]
fn without_a_dataset_for_them_flows_fill_nothing() {
    let service = with(false, (0..3 * FLOWS as u64).map(flow).chain([fork(7)]));
    assert!(service.drain());
    assert_eq!(service.take_processes().len(), 1);
    assert!(!service.is_stalled());
}

#[test]
fn what_finds_a_queue_full_stays_in_the_ring() {
    let all = 2 * FLOWS as u64 + 5;
    let service = with(true, (0..all).map(flow));
    assert!(!service.drain() && service.is_stalled());
    let mut seen = Vec::new();
    loop {
        let taken = ids(service.flows.take(Vec::new()));
        assert!(taken.len() <= FLOWS);
        if taken.is_empty() {
            break;
        }
        seen.extend(taken);
        service.drain();
    }
    assert_eq!(seen, (0..all).collect::<Vec<_>>());
}

#[test]
fn its_thread_waits_for_room_and_loses_nothing() {
    let all = 3 * FLOWS as u64;
    let service = with(true, (0..all).map(flow));
    let mut seen = Vec::new();
    thread::scope(|scope| {
        let moving = scope.spawn(|| service.drain_all());
        while !moving.is_finished() || !service.flows.is_empty() {
            seen.extend(ids(service.flows.take(Vec::new())));
            thread::yield_now();
        }
    });
    assert_eq!(seen, (0..all).collect::<Vec<_>>());
}

#[test]
fn an_end_releases_who_waits() {
    let service = with(true, (0..2 * FLOWS as u64).map(flow));
    thread::scope(|scope| {
        let moving = scope.spawn(|| service.drain_all());
        let table = scope.spawn(|| service.processes.wait_for(1));
        while !service.is_stalled() {
            thread::yield_now();
        }
        service.flows.close();
        service.processes.close();
        moving.join().unwrap();
        assert!(!table.join().unwrap());
    });
    assert!(service.flows.is_empty());
}
