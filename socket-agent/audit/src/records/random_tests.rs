//! Damaged and invented lines must never stop the parser.

use super::*;

const LINES: [&str; 9] = [
    "type=SYSCALL msg=audit(1.000:7): arch=c000003e syscall=59 success=no exit=-13 comm=\"a\"",
    "type=EXECVE msg=audit(1.000:7): argc=3 a0=\"x\" a1_len=9 a1[0]=4141 a1[1]=\"B\" a2=\"\"",
    "type=AVC msg=audit(1.000:7): avc:  denied  { read } for  pid=1 scontext=a:b:c:s0 tclass=dir",
    "type=USER_CMD msg=audit(1.000:7): pid=1 msg='op=a b c cmd=6C73 (hostname=?, res=success)'",
    "type=SOCKADDR msg=audit(1.000:7): saddr=02000050A9FEA9FE\x1dSADDR={ fam=inet }",
    "type=LOGIN msg=audit(1.000:7): old auid=1 new auid=2",
    "type=PROCTITLE msg=audit(1.000:7): proctitle=636174002F00",
    "node=a type=PATH msg=audit(1.000:7): item=0 name=(null) mode=040755 obj=a:b:c:s0 (x)",
    "type=SYSCALL msg=audit(1.000:7): subj==x (enforce) key=2701 tty=(none) a= =b = ' \" {",
];
const PIECES: [&str; 16] = [
    "=", " ", "\"", "'", "{", "}", "(", ")", "avc:", "denied", "msg='", "\x1d", "old ", "op=",
    "\0", ",",
];

/// Uses all that can be asked of a record.
fn exercise(record: &Record) {
    for field in record.fields().chain(record.added()) {
        let _ = (field.name(), field.text(), field.is_absent(), field.is_string());
    }
    let _ = (record.raw(), record.node(), record.socket_address(), record.hex(Key::A0));
    let _ = arguments(std::slice::from_ref(record)).values.len();
}

#[test]
fn no_line_stops_the_parser() {
    let mut random = fastrand::Rng::with_seed(0x0dd_ba11);
    let mut parsed = 0;
    for round in 0..60_000 {
        let mut line = LINES[round % LINES.len()].as_bytes().to_vec();
        for _ in 0..=random.usize(..6) {
            let at = random.usize(..line.len() + 1);
            match random.usize(..5) {
                0 => line.truncate(at),
                1 => {
                    line.splice(at..at, PIECES[random.usize(..PIECES.len())].bytes())
                        .for_each(drop);
                }
                2 if at < line.len() => line[at] = random.u8(..),
                3 if at < line.len() => drop(line.remove(at)),
                _ => {
                    let other = LINES[random.usize(..LINES.len())].as_bytes();
                    line.extend_from_slice(&other[random.usize(..other.len())..]);
                }
            }
        }
        if let Ok(record) = parse_line(&line) {
            exercise(&record);
            parsed += 1;
        }
        let kind = Kind(1000 + random.usize(..2000) as u16);
        if let Ok(record) = parse_kernel(kind, &line[random.usize(..line.len() + 1)..]) {
            exercise(&record);
        }
    }
    assert!(parsed > 1_000, "the lines are too damaged to test anything: {parsed}");
}

#[test]
fn no_address_stops_the_parser() {
    let mut random = fastrand::Rng::with_seed(42);
    for _ in 0..20_000 {
        let mut bytes: Vec<u8> = (0..random.usize(..40)).map(|_| random.u8(..)).collect();
        if let Some(family) = bytes.first_mut() {
            *family %= 48;
        }
        if let Some(second) = bytes.get_mut(1) {
            *second = 0;
        }
        if let Some(address) = SocketAddress::parse(&bytes) {
            assert!(address.family() < 48);
        }
    }
}
