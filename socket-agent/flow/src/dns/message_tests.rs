use std::net::Ipv6Addr;

use super::*;
use crate::dns::testing::{ANSWER, ASKED, QUERY, message, name, record, some_bytes};

const ONE: [u8; 4] = [192, 0, 2, 1];
const TWO: [u8; 4] = [192, 0, 2, 2];

fn answer(bytes: &[u8]) -> (String, Vec<(IpAddr, u32)>) {
    match parse(bytes, false) {
        Ok(Some(Message::Answer { question, addresses, cut: false, .. })) => {
            (question.name, addresses)
        }
        other => panic!("{other:?}"),
    }
}

fn addresses(bytes: &[u8]) -> Vec<(IpAddr, u32)> {
    answer(bytes).1
}

#[test]
fn questions_in_any_case() {
    let bytes = message(7, QUERY, "wWw.ExamPle.COM", 1, &[]);
    let question = Question { name: "www.example.com".to_owned(), kind: 1 };
    assert_eq!(parse(&bytes, false), Ok(Some(Message::Query { id: 7, question })));
}

#[test]
fn several_answers_of_both_families() {
    let six = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
    let records = [
        record(&ASKED, 1, 60, &ONE),
        record(&ASKED, 1, 30, &TWO),
        record(&ASKED, 28, 9, &six.octets()),
    ];
    let found = answer(&message(1, ANSWER, "a.example", 255, &records));
    assert_eq!(found.0, "a.example");
    assert_eq!(found.1, [(ONE.into(), 60), (TWO.into(), 30), (six.into(), 9)]);
}

#[test]
fn the_name_asked_for_is_that_of_the_last_in_a_chain() {
    let [one, two] = [name("one.example"), name("two.example")];
    let mut records =
        vec![record(&ASKED, 5, 300, &one), record(&one, 5, 20, &two), record(&two, 1, 60, &ONE)];
    let expected = ("a.example".to_owned(), vec![(IpAddr::from(ONE), 20)]);
    assert_eq!(answer(&message(1, ANSWER, "a.example", 1, &records)), expected);
    records.reverse();
    assert_eq!(answer(&message(1, ANSWER, "a.example", 1, &records)), expected);
}

#[test]
fn records_of_other_names_prove_nothing() {
    let other = name("bank.example");
    let records = [record(&other, 1, 60, &ONE), record(&ASKED, 1, 60, &TWO)];
    assert_eq!(addresses(&message(1, ANSWER, "a.example", 1, &records)), [(TWO.into(), 60)]);
    // An alias of itself.
    let records = [record(&ASKED, 5, 60, &ASKED), record(&other, 1, 60, &ONE)];
    assert_eq!(addresses(&message(1, ANSWER, "a.example", 1, &records)), []);
}

#[test]
fn addresses_that_https_records_hint_at() {
    let service = |target: &[u8]| {
        let mut data = vec![0, 1];
        data.extend(target);
        // alpn h2, two IPv4 hints, one IPv6 hint.
        data.extend([0, 1, 0, 3, 2, b'h', b'2', 0, 4, 0, 8]);
        data.extend([ONE, TWO].concat());
        data.extend([0, 6, 0, 16]);
        data.extend([0xfd; 16]);
        data
    };
    let six = IpAddr::from([0xfd_u8; 16]);
    for kind in [64, 65] {
        let records = [record(&ASKED, kind, 60, &service(&[0]))];
        let found = addresses(&message(1, ANSWER, "a.example", kind, &records));
        assert_eq!(found, [(ONE.into(), 60), (TWO.into(), 60), (six, 60)]);
    }
    // Another name serves it, whose address comes along.
    let pool = name("pool.example");
    let mut alias = vec![0, 0];
    alias.extend(&pool);
    let records = [record(&ASKED, 65, 60, &alias), record(&pool, 1, 30, &ONE)];
    assert_eq!(addresses(&message(1, ANSWER, "a.example", 65, &records)), [(ONE.into(), 30)]);
}

#[test]
fn mapped_addresses_are_ipv4() {
    let mapped = Ipv6Addr::from([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 192, 0, 2, 1]);
    let records = [record(&ASKED, 28, 60, &mapped.octets())];
    assert_eq!(addresses(&message(1, ANSWER, "a.example", 28, &records)), [(ONE.into(), 60)]);
}

#[test]
fn truncated_answers_are_good_as_far_as_they_go() {
    let records = [record(&ASKED, 1, 60, &ONE)];
    let truncated = message(1, ANSWER | 0x0200, "a.example", 1, &records);
    assert_eq!(addresses(&truncated), [(ONE.into(), 60)]);
    assert_eq!(addresses(&message(1, ANSWER | 0x0200, "a.example", 1, &[])), []);
}

#[test]
fn a_message_that_was_cut_by_the_capture() {
    let records = [record(&ASKED, 1, 60, &ONE), record(&ASKED, 1, 60, &TWO)];
    let whole = message(1, ANSWER, "a.example", 1, &records);
    let part = &whole[..whole.len() - 2];
    let Ok(Some(Message::Answer { addresses, cut, .. })) = parse(part, true) else { panic!() };
    assert_eq!((addresses, cut), (vec![(ONE.into(), 60)], true));
    assert_eq!(parse(part, false), Err(Malformed), "nothing is missing, and yet it ends early");
}

#[test]
fn errors_and_other_types_give_no_addresses() {
    assert_eq!(addresses(&message(1, ANSWER | 3, "a.example", 1, &[])), []);
    let text = [record(&ASKED, 16, 60, b"\x01x")];
    assert_eq!(parse(&message(1, ANSWER, "a.example", 16, &text), false), Ok(None));
    assert_eq!(parse(&message(1, 0x2800, "a.example", 1, &[]), false), Ok(None), "an update");
    assert_eq!(parse(b"short", false), Err(Malformed));
}

#[test]
fn hostile_messages_end_soon() {
    // A name that points at itself, and one at another in a circle.
    for pointer in [[0xc0, 12], [0xc0, 14]] {
        let mut bytes = message(1, ANSWER, "", 1, &[]);
        bytes.truncate(12);
        bytes.extend(pointer);
        bytes.extend([0xc0, 12, 0, 1, 0, 1]);
        assert_eq!(parse(&bytes, false), Err(Malformed));
    }
    // Many addresses, and many aliases.
    let many = |count: u16| -> Vec<_> {
        let one = |number: u16| record(&ASKED, 1, 60, &[10, 0, (number >> 8) as u8, number as u8]);
        (0..count).map(one).collect()
    };
    assert_eq!(addresses(&message(1, ANSWER, "a.example", 1, &many(300))).len(), ADDRESSES);
    // As many as fit into the datagram that is commonly asked for by EDNS.
    let whole = message(1, ANSWER, "a.example", 1, &many(254));
    assert_eq!((whole.len(), addresses(&whole).len()), (4091, 254));
    let alias = |number: usize| name(&format!("a{number}.example"));
    let chain: Vec<_> = (0..200).map(|n| record(&alias(n), 5, 60, &alias(n + 1))).collect();
    let found = addresses(&message(1, ANSWER, "a0.example", 1, &chain));
    assert_eq!(found, []);
    // Unusual bytes in a name are written so that they cannot be taken for others.
    let odd = message(1, QUERY, "a b\n\".example", 1, &[]);
    let Ok(Some(Message::Query { question, .. })) = parse(&odd, false) else { panic!() };
    assert!(!question.name.contains('\n') && question.name.contains("\\010"), "{question:?}");
}

#[test]
fn random_bytes_do_no_harm() {
    let mut random = fastrand::Rng::with_seed(0x2545_f491_4f6c_dd1d);
    let records = [
        record(&ASKED, 5, 60, &name("b.example")),
        record(&name("b.example"), 1, 60, &ONE),
        record(&ASKED, 65, 60, &[0, 1, 0, 0, 4, 0, 4, 1, 2, 3, 4]),
    ];
    let good = message(1, ANSWER, "a.example", 255, &records);
    let mut understood = 0;
    for _ in 0..100_000 {
        let mut bytes = good.clone();
        for _ in 0..=random.usize(..4) {
            let at = random.usize(..bytes.len());
            bytes[at] = random.u8(..);
        }
        let keep = if random.usize(..3) == 0 { random.usize(..good.len()) } else { good.len() };
        bytes.truncate(keep);
        understood += u32::from(matches!(parse(&bytes, random.usize(..2) == 0), Ok(Some(_))));
        let length = random.usize(..64);
        let _ = parse(&some_bytes(&mut random, length), true);
    }
    assert!(understood > 10_000, "{understood}: the mutations are too wild");
}
