use super::*;
use crate::records::parse_line;

const fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// What comes out: the sequence and the kinds of each event.
struct Bench {
    reassembler: Reassembler,
    out: Vec<(u32, Vec<&'static str>, bool)>,
}

impl Bench {
    fn new(max_in_flight: usize) -> Self {
        let options = Options { max_in_flight, timeout: at(2) };
        Self { reassembler: Reassembler::new(options), out: Vec::new() }
    }

    fn line(&mut self, now: u64, line: &str) -> &mut Self {
        let record = parse_line(line.as_bytes()).unwrap();
        let out = &mut self.out;
        self.reassembler.push(record, at(now), |event| note(out, &event));
        self
    }

    /// Records of a sequence number at a second.
    fn records(&mut self, now: u64, sequence: u32, kinds: &[&str]) -> &mut Self {
        for kind in kinds {
            self.line(now, &format!("type={kind} msg=audit({now}.000:{sequence}): x=1"));
        }
        self
    }

    /// The same, all of one second in the kernel's view.
    fn same_time(&mut self, now: u64, sequence: u32, kinds: &[&str]) -> &mut Self {
        for kind in kinds {
            self.line(now, &format!("type={kind} msg=audit(7.000:{sequence}): x=1"));
        }
        self
    }

    fn flush(&mut self) -> Counters {
        let out = &mut self.out;
        self.reassembler.flush(|event| note(out, &event));
        assert_eq!(self.reassembler.in_flight(), 0);
        assert_eq!(self.reassembler.deadline(), None);
        self.reassembler.counters()
    }
}

fn note(out: &mut Vec<(u32, Vec<&'static str>, bool)>, event: &Event) {
    let kinds = event.records.iter().map(|record| record.kind().name().unwrap()).collect();
    out.push((event.id.sequence, kinds, event.complete));
}

#[test]
fn a_title_ends_a_system_call() {
    let mut bench = Bench::new(50);
    bench.records(1, 5, &["SYSCALL", "CWD", "PATH"]);
    assert_eq!(bench.out, []);
    bench.records(1, 5, &["PROCTITLE"]);
    assert_eq!(bench.out, [(5, vec!["SYSCALL", "CWD", "PATH", "PROCTITLE"], true)]);
    bench.records(1, 5, &["EOE"]);
    let counters = bench.flush();
    assert_eq!((counters.records, counters.events, counters.complete), (5, 1, 1));
    assert_eq!((counters.late, counters.duplicates, counters.lost), (0, 0, 0));
}

#[test]
fn an_end_ends_what_has_no_title() {
    let mut bench = Bench::new(50);
    bench.records(1, 5, &["SYSCALL", "SOCKADDR", "EOE"]);
    assert_eq!(bench.out, [(5, vec!["SYSCALL", "SOCKADDR"], true)]);
}

#[test]
fn single_records_do_not_wait() {
    let mut bench = Bench::new(50);
    bench.records(1, 5, &["USER_LOGIN"]).records(1, 6, &["DAEMON_START"]);
    bench.records(1, 7, &["ANOM_LOGIN_TIME"]);
    assert_eq!(bench.out.len(), 3);
    assert_eq!(bench.reassembler.in_flight(), 0);
}

/// As the kernel reports a program that listens beside the daemon, where there are rules.
#[test]
fn a_system_call_may_follow_what_it_did() {
    let mut bench = Bench::new(50);
    let records = ["EVENT_LISTENER", "SYSCALL", "SOCKADDR", "PROCTITLE"];
    bench.records(1, 5, &records).records(1, 5, &["EOE"]);
    assert_eq!(bench.out, [(5, records.to_vec(), true)]);
    assert_eq!(bench.reassembler.counters().late, 0);
}

#[test]
fn contexts_follow_where_the_label_is_not_told() {
    let mut bench = Bench::new(50);
    bench.line(1, "type=USER_LOGIN msg=audit(1.000:5): pid=1 subj=? msg='op=login res=success'");
    assert_eq!(bench.out, []);
    bench.line(1, "type=MAC_TASK_CONTEXTS msg=audit(1.000:5): subj_selinux=a subj_apparmor=b");
    assert_eq!(bench.out, [(5, vec!["USER_LOGIN", "MAC_TASK_CONTEXTS"], true)]);
}

#[test]
fn interleaved_events_do_not_wait_for_each_other() {
    let mut bench = Bench::new(50);
    bench.records(1, 4, &["CONFIG_CHANGE"]);
    bench.records(1, 5, &["SYSCALL"]).records(1, 6, &["SYSCALL"]);
    bench.records(1, 6, &["PATH", "PROCTITLE"]).records(1, 5, &["PATH", "PROCTITLE"]);
    let order: Vec<u32> = bench.out.iter().map(|(sequence, ..)| *sequence).collect();
    assert_eq!(order, [6, 5]);
    // The one without an end leaves after the timeout.
    assert_eq!(bench.reassembler.deadline(), Some(at(3)));
    bench.records(3, 7, &["USER_ACCT"]);
    let last = bench.out.last().unwrap();
    assert_eq!((last.0, last.2), (4, false));
    assert_eq!(bench.flush().timed_out, 1);
}

#[test]
fn a_title_before_its_system_call_is_no_end() {
    let mut bench = Bench::new(50);
    bench.records(1, 5, &["PROCTITLE", "SYSCALL", "PATH"]);
    assert_eq!(bench.out, []);
    bench.flush();
    assert_eq!(bench.out, [(5, vec!["SYSCALL", "PATH", "PROCTITLE"], false)]);
}

/// The texts of an event's records, behind the number.
fn given(lines: &[&str]) -> Vec<String> {
    let mut reassembler = Reassembler::new(Options { max_in_flight: 50, timeout: at(2) });
    let mut texts = Vec::new();
    let mut note = |event: Event| {
        texts.extend(event.records.iter().map(|record| {
            let text = record.raw().into_owned();
            let (_, rest) = text.split_once(": ").unwrap();
            format!("{} {rest}", record.kind())
        }));
    };
    for line in lines {
        let (kind, rest) = line.split_once(' ').unwrap();
        let line = format!("type={kind} msg=audit(1.000:5): {rest}");
        reassembler.push(parse_line(line.as_bytes()).unwrap(), at(1), &mut note);
    }
    reassembler.flush(&mut note);
    texts
}

const IN_ORDER: [&str; 12] = [
    "NETFILTER_CFG table=a",
    "NETFILTER_CFG table=b",
    "SYSCALL items=3",
    "MAC_TASK_CONTEXTS subj_selinux=a",
    "EXECVE argc=1",
    "SOCKADDR saddr=00",
    "OBJ_PID opid=2",
    "OBJ_PID opid=1",
    "CWD cwd=\"/\"",
    "PATH item=0",
    "PATH item=1",
    "PATH item=10",
];

#[test]
fn records_leave_in_the_kernels_order() {
    assert_eq!(given(&IN_ORDER), IN_ORDER);
    let whole = [&IN_ORDER[..], &["PROCTITLE proctitle=\"x\""]].concat();
    assert_eq!(given(&whole), whole);
    // From the last to the first: also those that are alike.
    let turned: Vec<&str> = whole.iter().rev().copied().collect();
    assert_eq!(given(&turned), whole);
    let without_title: Vec<&str> = IN_ORDER.iter().rev().copied().collect();
    assert_eq!(given(&without_title), IN_ORDER);
    // What a call did behind it, as old kernels had it.
    let behind = ["SYSCALL items=1", "AVC a=1", "AVC a=2", "CWD cwd=\"/\"", "PATH item=0"];
    let ordered = ["AVC a=1", "AVC a=2", "SYSCALL items=1", "CWD cwd=\"/\"", "PATH item=0"];
    assert_eq!(given(&behind), ordered);
    for deed in ["LOGIN a=1", "CONFIG_CHANGE a=1", "AVC a=1"] {
        assert_eq!(given(&["SYSCALL a=1", deed]), [deed, "SYSCALL a=1"]);
    }
}

#[test]
fn records_in_any_order_leave_in_one() {
    // Those that say by themselves where they belong.
    let lines: Vec<&str> = IN_ORDER
        .into_iter()
        .filter(|line| !["NETFILTER_CFG table=b", "OBJ_PID opid=1"].contains(line))
        .filter(|line| !line.starts_with("MAC_"))
        .collect();
    let mut random = fastrand::Rng::with_seed(11);
    for _ in 0..200 {
        let mut shuffled = lines.clone();
        random.shuffle(&mut shuffled);
        assert_eq!(given(&shuffled), lines, "{shuffled:?}");
    }
}

/// As ausearch does; before version 4 it separates a LOGIN from its system call.
#[test]
fn a_source_may_separate_events() {
    let mut bench = Bench::new(50);
    bench.records(1, 4, &["CONFIG_CHANGE"]);
    for (number, kinds) in [(5, &["SYSCALL", "PROCTITLE", "PATH"][..]), (6, &["LOGIN"])] {
        bench.reassembler.separate();
        bench.records(1, number, kinds);
    }
    let first = (4, vec!["CONFIG_CHANGE"], false);
    let second = (5, vec!["SYSCALL", "PATH", "PROCTITLE"], true);
    assert_eq!(bench.out, [first, second]);
    bench.reassembler.separate();
    bench.records(1, 6, &["PROCTITLE", "SYSCALL"]);
    let out = &mut bench.out;
    bench.reassembler.end_source(|event| note(out, &event));
    assert_eq!(bench.out[2], (6, vec!["LOGIN", "SYSCALL", "PROCTITLE"], true));
    // The next source may be without.
    bench.records(1, 7, &["SYSCALL", "PROCTITLE"]);
    assert_eq!(bench.out[3], (7, vec!["SYSCALL", "PROCTITLE"], true));
    // If one was wrong, the rest is no less there.
    bench.records(1, 6, &["PATH"]);
    let counters = bench.flush();
    assert_eq!((counters.events, counters.complete, counters.resumed), (5, 3, 1));
}

/// As many records of an event as that, and the time that they take.
fn large_event(paths: u64) -> (Counters, usize, Duration) {
    let start = std::time::Instant::now();
    let mut reassembler = Reassembler::new(Options { max_in_flight: 50, timeout: at(2) });
    let mut kept = 0;
    let mut push = |line: &str| {
        let record = parse_line(line.as_bytes()).unwrap();
        reassembler.push(record, at(1), |event| kept = event.records.len());
    };
    for item in 0..paths {
        push(&format!("type=PATH msg=audit(1.000:5): item={item}"));
    }
    push("type=PATH msg=audit(1.000:5): item=0");
    push("type=SYSCALL msg=audit(1.000:5): items=1");
    push("type=PROCTITLE msg=audit(1.000:5): proctitle=\"x\"");
    (reassembler.counters(), kept, start.elapsed())
}

#[test]
fn an_event_has_a_bounded_number_of_records() {
    let (counters, kept, _) = large_event(20_000);
    assert_eq!((kept, counters.duplicates, counters.cut), (20_002, 1, 0));
    let (counters, kept, time) = large_event(100_000);
    // And the call, which decides what it is, and its end.
    assert_eq!(kept, (1 << 16) + 2);
    assert_eq!((counters.duplicates, counters.cut, counters.events), (1, 100_000 - (1 << 16), 1));
    // Far more than it takes, far less than it would if each were compared with all others.
    assert!(time.as_secs() < 60, "{time:?}");
}

#[test]
fn an_event_has_a_bounded_size() {
    let mut bench = Bench::new(50);
    let long = "x".repeat(1 << 19);
    for item in 0..100 {
        bench.line(1, &format!("type=PATH msg=audit(1.000:5): item={item} name=\"{long}\""));
    }
    assert!(bench.reassembler.bytes < 33 << 20, "{}", bench.reassembler.bytes);
    let cut = bench.flush().cut;
    assert!((36..60).contains(&cut), "{cut}");
    // All events together, too.
    for sequence in 1..=300 {
        bench.line(2, &format!("type=PATH msg=audit(2.000:{sequence}): name=\"{long}\""));
    }
    assert!(bench.reassembler.bytes < 65 << 20, "{}", bench.reassembler.bytes);
    let counters = bench.flush();
    assert_eq!((counters.cut, bench.reassembler.bytes), (cut, 0));
    assert!(counters.evicted > 250 - 128, "{}", counters.evicted);
}

/// As large as what they stand for can become.
#[test]
fn many_unfinished_events_take_no_longer_than_few() {
    let start = std::time::Instant::now();
    let events = 100_000;
    let mut reassembler = Reassembler::new(Options { max_in_flight: events, timeout: at(2) });
    let mut given = Vec::new();
    for kind in ["SYSCALL", "CWD", "PROCTITLE"] {
        for sequence in 0..events {
            let line = format!("type={kind} msg=audit(1.000:{sequence}): x=1");
            let record = parse_line(line.as_bytes()).unwrap();
            reassembler.push(record, at(1), |event| given.push(event.records.len()));
        }
    }
    assert_eq!(given, vec![3; events]);
    assert_eq!((reassembler.counters().evicted, reassembler.in_flight()), (0, 0));
    assert!(start.elapsed().as_secs() < 120, "{:?}", start.elapsed());
}

#[test]
fn late_records_do_not_make_an_event() {
    let mut bench = Bench::new(50);
    bench.records(1, 5, &["SYSCALL", "PROCTITLE", "PATH"]);
    let counters = bench.flush();
    assert_eq!((counters.events, counters.late), (1, 1));
}

#[test]
fn what_was_not_whole_goes_on() {
    let mut bench = Bench::new(50);
    bench.same_time(1, 5, &["CONFIG_CHANGE"]).same_time(4, 6, &["USER_ACCT"]);
    bench.same_time(5, 5, &["SYSCALL", "PROCTITLE"]);
    let counters = bench.flush();
    assert_eq!((counters.events, counters.resumed, counters.late), (3, 1, 0));
    assert_eq!(bench.out[2], (5, vec!["SYSCALL", "PROCTITLE"], true));
}

#[test]
fn duplicates_count_but_do_not_come_out() {
    let mut bench = Bench::new(50);
    bench.records(1, 5, &["SYSCALL", "SYSCALL", "PATH", "PATH", "OBJ_PID", "OBJ_PID"]);
    bench.records(1, 5, &["NETFILTER_CFG", "NETFILTER_CFG", "EOE"]);
    let kinds = ["NETFILTER_CFG", "NETFILTER_CFG", "SYSCALL", "OBJ_PID", "OBJ_PID", "PATH"];
    assert_eq!(bench.out, [(5, kinds.to_vec(), true)]);
    assert_eq!(bench.flush().duplicates, 2);
}

#[test]
fn the_same_number_at_another_time_is_another_event() {
    let mut bench = Bench::new(50);
    bench.records(1, 5, &["SYSCALL"]).records(2, 5, &["SYSCALL"]);
    bench.line(2, "node=b type=SYSCALL msg=audit(2.000:5): x=1");
    assert_eq!(bench.reassembler.in_flight(), 3);
}

#[test]
fn too_many_drive_out_the_oldest() {
    let mut bench = Bench::new(2);
    for sequence in 1..=4 {
        bench.records(1, sequence, &["SYSCALL"]);
    }
    let order: Vec<u32> = bench.out.iter().map(|(sequence, ..)| *sequence).collect();
    assert_eq!(order, [1, 2]);
    assert_eq!(bench.flush().evicted, 2);
}

#[test]
fn what_was_driven_out_and_goes_on_is_counted_however_late() {
    let mut bench = Bench::new(10);
    for kind in ["SYSCALL", "PROCTITLE"] {
        for sequence in 1..=3_000 {
            bench.same_time(1, sequence, &[kind]);
        }
    }
    let counters = bench.flush();
    assert_eq!((counters.events, counters.resumed, counters.lost), (6_000, 3_000, 0));
    // An older log behind a newer one goes on with nothing.
    let mut bench = Bench::new(1);
    for sequence in [500, 501, 502, 1, 2, 3] {
        bench.same_time(1, sequence, &["SYSCALL"]);
    }
    let counters = bench.flush();
    assert_eq!((counters.resumed, counters.evicted), (0, 5));
}

/// Losses and gaps after single records with these numbers, all at once.
fn losses(sequences: &[u32]) -> (u64, u64, u64) {
    let mut bench = Bench::new(50);
    for sequence in sequences {
        bench.same_time(1, *sequence, &["USER_ACCT"]);
    }
    let counters = bench.flush();
    (counters.lost, counters.gaps, counters.restarts)
}

#[test]
fn gaps() {
    assert_eq!(losses(&[1, 2, 3]), (0, 0, 0));
    assert_eq!(losses(&[1, 3]), (1, 1, 0));
    assert_eq!(losses(&[1, 5, 10]), (7, 2, 0));
    assert_eq!(losses(&[1, 5, 3, 2, 4]), (0, 0, 0), "out of order");
    assert_eq!(losses(&[1, 5, 3]), (2, 2, 0));
    assert_eq!(losses(&[5, 4]), (0, 0, 0), "older than the first");
    assert_eq!(losses(&[9, 10, 9, 11]), (0, 0, 0), "twice");
}

#[test]
fn gaps_across_the_wrap_around() {
    const MAX: u32 = u32::MAX;
    assert_eq!(losses(&[MAX - 1, MAX, 0, 1]), (0, 0, 0));
    assert_eq!(losses(&[MAX - 1, 1]), (2, 1, 0));
    assert_eq!(losses(&[MAX - 1, 2, MAX, 0]), (1, 1, 0));
    assert_eq!(losses(&[MAX, 0, MAX - 1]), (0, 0, 0), "late, not four billion lost");
}

#[test]
fn another_boot_loses_nothing() {
    let mut bench = Bench::new(50);
    bench.records(100, 9_000, &["USER_ACCT"]).records(200, 3, &["USER_ACCT"]);
    bench.records(201, 5, &["USER_ACCT"]);
    let counters = bench.flush();
    assert_eq!((counters.lost, counters.restarts), (1, 1));
    assert_eq!(losses(&[1, 1 << 30]), (0, 0, 1), "no such step");
}

#[test]
fn auditd_counts_on_its_own() {
    let mut bench = Bench::new(50);
    bench.records(1, 5, &["USER_ACCT"]).records(1, 9_000, &["DAEMON_CONFIG"]);
    bench.records(1, 6, &["USER_ACCT"]);
    assert_eq!(bench.flush().lost, 0);
}

#[test]
fn each_host_has_its_own_sequence() {
    let mut bench = Bench::new(50);
    for (node, sequence) in [("a", 1), ("b", 500), ("a", 2), ("b", 502)] {
        bench.line(1, &format!("node={node} type=USER_ACCT msg=audit(1.000:{sequence}): x=1"));
    }
    assert_eq!(bench.flush().lost, 1);
}

#[test]
fn an_open_gap_counts_after_the_timeout() {
    let mut bench = Bench::new(50);
    bench.records(1, 1, &["USER_ACCT"]).records(1, 3, &["USER_ACCT"]);
    assert_eq!(bench.reassembler.counters().lost, 0);
    assert_eq!(bench.reassembler.deadline(), Some(at(3)));
    bench.reassembler.expire(at(3), |_| {});
    assert_eq!(bench.reassembler.counters().lost, 1);
}
