//! What an event costs in memory that is asked for.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    fs,
    path::Path,
    time::Duration,
};

use socket_agent::audit::{
    document::Options,
    normalise::NoNames,
    records::parse_line,
    stream::{NoContext, Stream},
};

thread_local! {
    static ASKED: Cell<u64> = const { Cell::new(0) };
}

/// Counts for each thread how often it asks.
struct Counting;

// SAFETY: everything is passed on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // A thread that ends may have no counter any more.
        let _ = ASKED.try_with(|asked| asked.set(asked.get() + 1));
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let _ = ASKED.try_with(|asked| asked.set(asked.get() + 1));
        // SAFETY: the caller's promise.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn nothing_is_allocated_for_a_field() {
    const ROUNDS: u64 = 50;
    let log = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/audit/commands.log");
    let log = fs::read(log).unwrap();
    let lines: Vec<&[u8]> =
        log.split(|byte| *byte == b'\n').filter(|line| parse_line(line).is_ok()).collect();
    let fields: usize = lines.iter().map(|line| parse_line(line).unwrap().fields().count()).sum();
    let mut stream = Stream::new(Default::default(), Options::default(), Box::new(NoNames));
    let mut out = Vec::new();
    let mut asked = 0;
    let mut before = 0;
    for round in 0..2 * ROUNDS {
        if round == ROUNDS {
            // The memory that is used again is there now.
            asked = ASKED.get();
            before = stream.totals().counters.events;
        }
        for line in &lines {
            out.clear();
            let line = renumber(line, round);
            // That was for the test.
            ASKED.set(ASKED.get() - 1);
            stream.push_line(&line, Duration::ZERO, &mut NoContext, &mut out).unwrap();
        }
    }
    let events = stream.totals().counters.events - before;
    let asked = ASKED.get() - asked;
    let fields = fields as u64 * ROUNDS;
    println!("{asked} allocations for {events} events with {fields} fields");
    assert!(events >= 10 * ROUNDS);
    assert!(asked < 16 * events, "{asked} allocations for {events} events");
    assert!(asked * 3 < fields, "{asked} allocations for {fields} fields");
}

/// The same line of another event, in one piece of memory.
fn renumber(line: &[u8], round: u64) -> Vec<u8> {
    let text = std::str::from_utf8(line).unwrap();
    let (before, rest) = text.split_once(':').unwrap();
    let (number, behind) = rest.split_once(')').unwrap();
    let number = number.parse::<u64>().unwrap() + round * 1_000;
    let mut new = String::with_capacity(text.len() + 8);
    std::fmt::Write::write_fmt(&mut new, format_args!("{before}:{number}){behind}")).unwrap();
    new.into_bytes()
}
