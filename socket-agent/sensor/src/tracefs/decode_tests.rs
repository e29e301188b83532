//! Records as the kernel would write them.

use super::*;

const HEAD: u64 = 0xffff_8880_0000_0000;
/// Where the network header stands in the buffer.
const NETWORK: u64 = 64;
/// Size of the buffer: the third of the places of a segment size.
const END: u64 = 704;

/// A record of the fields that a packet needs.
struct Record {
    format: String,
    raw: Vec<u8>,
}

impl Record {
    fn new() -> Self {
        Self { format: String::new(), raw: vec![0; 8] }
    }

    fn field(mut self, name: &str, bytes: &[u8]) -> Self {
        let (offset, size) = (self.raw.len(), bytes.len().min(8));
        self.format.push_str(&format!("field:u64 {name};\toffset:{offset};\tsize:{size};\n"));
        self.raw.extend(bytes);
        self
    }

    fn number(self, name: &str, value: u64) -> Self {
        self.field(name, &value.to_ne_bytes())
    }

    /// A buffer whose data begins `data` bytes behind its network header, and its headers.
    fn buffer(self, headers: &[u8], length: u64, data: u64, segment: u16) -> Self {
        let mut segments = [0u8; 2 * ENDS];
        segments[4..6].copy_from_slice(&segment.to_ne_bytes());
        let before = if data == 0 { 0 } else { 104 - data as usize };
        let mut window = vec![0xff; before];
        window.extend(headers);
        window.resize(WINDOW, 0xff);
        self.number("head", HEAD)
            .number("data", HEAD + NETWORK + data)
            .number("network", NETWORK)
            .number("end", END)
            .number("len", length - data)
            .field("segment", &segments)
            .field("window", &window)
    }

    fn fact(&self, observation: Observation) -> Result<Option<Fact>, Counter> {
        let layout = Layout::parse(&self.format, &[]);
        let (shapes, receive) = (Shapes::default(), [[100, 200], [0, 0]]);
        let (layout, raw) = (&layout, &self.raw[..]);
        fact(observation, &Values { layout, raw, shapes: &shapes, receive: &receive, netns: 7 })
    }

    fn packet(&self, observation: Observation) -> Packet {
        match self.fact(observation) {
            Ok(Some(
                Fact::Packet { packet, .. } | Fact::Orphan { packet } | Fact::Reply { packet },
            )) => packet,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn what_a_record_does_not_hold_is_not_known() {
    let retransmits = |record: Record| match record.number("sock", 5).fact(Observation::State) {
        Ok(Some(Fact::State { sock, .. })) => sock.retransmits,
        other => panic!("{other:?}"),
    };
    assert_eq!(retransmits(Record::new()), None);
    assert_eq!(retransmits(Record::new().number("retrans", 0)), Some(0));
    assert_eq!(retransmits(Record::new().number("retrans", 4)), Some(4));
}

/// IPv4 and TCP headers, the latter of `words` words.
fn tcp4(words: u8, flags: u8) -> Vec<u8> {
    let mut bytes = vec![0x45, 0, 0, 0, 0, 0, 0, 0, 64, PROTO_TCP, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
    bytes.extend([0x1f, 0x90, 0, 80, 0, 0, 0, 0, 0, 0, 0, 0, words << 4, flags, 0, 0, 0, 0, 0, 0]);
    bytes.resize(20 + 4 * usize::from(words), 1);
    bytes
}

/// IPv6 and UDP headers with a destination option between them.
fn udp6() -> Vec<u8> {
    let mut bytes = vec![0x60, 0, 0, 0, 0, 0, 60, 64];
    bytes.extend([1; 16]);
    bytes.extend([2; 16]);
    bytes.extend([PROTO_UDP, 0, 0, 0, 0, 0, 0, 0]);
    bytes.extend([0, 53, 0x1f, 0x90, 0, 0, 0, 0]);
    bytes
}

#[test]
fn a_packet_that_is_sent() {
    let record = Record::new().number("sock", 0x10).number("family", 2);
    let packet = record.buffer(&tcp4(8, 0x18), 152, 0, 0).packet(Observation::Sent);
    assert_eq!((packet.packets, packet.bytes, packet.flags), (1, 152, 0x18));
    assert_eq!((packet.source_port, packet.destination_port), (8080, 80));
    assert_eq!(packet.destination[0].to_ne_bytes(), [10, 0, 0, 2]);
    assert!(packet.payload);
    let bare = Record::new().buffer(&tcp4(8, 0x10), 52, 0, 0).packet(Observation::Sent);
    assert!(!bare.payload);
}

#[test]
fn an_offloaded_buffer_counts_as_its_segments() {
    let packet = Record::new().buffer(&tcp4(8, 0x10), 52 + 3500, 0, 1448).packet(Observation::Sent);
    assert_eq!((packet.packets, packet.bytes), (3, 3500 + 3 * 52));
}

#[test]
fn received_headers_stand_before_the_data() {
    let record = Record::new().number("sock", 0x10).number("family", 2);
    let packet = record.buffer(&tcp4(8, 0x10), 52 + 2000, 20, 1000).packet(Observation::Received);
    assert_eq!((packet.packets, packet.bytes), (2, 2000 + 2 * 52));
    let record = Record::new().number("family", 10);
    let packet = record.buffer(&udp6(), 156, 48, 0).packet(Observation::Received);
    assert_eq!((packet.family, packet.protocol, packet.bytes), (FAMILY_IPV6, PROTO_UDP, 156));
    assert_eq!((packet.source_port, packet.destination_port), (53, 8080));
    assert_eq!(packet.source[0].to_ne_bytes(), [1; 4]);
}

#[test]
fn large_datagrams_count_as_the_fragments_they_leave_in() {
    let mut headers = tcp4(5, 0);
    headers[9] = PROTO_UDP;
    let sent = |record: Record| {
        let packet = record.buffer(&headers, 20 + 3008, 0, 0).packet(Observation::Sent);
        (packet.packets, packet.bytes)
    };
    // 1480 bytes of payload fit into each.
    assert_eq!(sent(Record::new().number("mtu", 1500)), (3, 3008 + 3 * 20));
    assert_eq!(sent(Record::new().number("mtu", 65_536)), (1, 3028));
    // The route has a metric of its own; its pointer carries the flag 1, so that the word read one
    // byte behind it begins two bytes before the MTU.
    let metric = u64::from(1028u32) << 16;
    let record =
        Record::new().number("mtu", 1500).number("metrics", 0x1001).number("metricmtu", metric);
    assert_eq!(sent(record), (3, 3008 + 3 * 20));
    let received = Record::new().number("family", 2).field("fragmax4", &1028u16.to_ne_bytes());
    let packet = received.buffer(&headers, 20 + 3008, 20, 0).packet(Observation::Received);
    assert_eq!((packet.packets, packet.bytes), (3, 3008 + 3 * 20));
}

#[test]
fn a_segment_size_that_was_not_fetched_is_no_guess() {
    let record = Record::new().number("sock", 1);
    let odd = |length| {
        let mut record = Record::new().number("end", 12_345);
        record = record.number("head", HEAD).number("data", HEAD).number("len", length);
        record.field("window", &[tcp4(8, 0x10), vec![0; 128]].concat()).fact(Observation::Sent)
    };
    assert!(matches!(odd(1500), Ok(Some(_))));
    assert_eq!(odd(20_000), Err(Counter::Unparsed));
    drop(record);
}

#[test]
fn only_drops_of_the_receive_path_are_orphans() {
    for (location, expected) in [(150, true), (99, false), (200, false)] {
        let record = Record::new().number("location", location);
        let fact = record.buffer(&tcp4(8, 0x10), 52, 20, 0).fact(Observation::Dropped).unwrap();
        assert_eq!(matches!(fact, Some(Fact::Orphan { .. })), expected, "{location}");
    }
}

#[test]
fn what_is_sent_without_a_socket_is_a_reply_unless_it_was_forwarded() {
    let fact = |iif| {
        let record = Record::new().number("sock", 0).number("iif", iif);
        record.buffer(&tcp4(5, 4), 40, 0, 0).fact(Observation::Sent).unwrap()
    };
    assert!(matches!(fact(0), Some(Fact::Reply { .. })));
    assert_eq!(fact(2), None);
}

#[test]
fn a_socket_is_read_with_its_byte_orders() {
    let record = Record::new()
        .number("sock", 0x77)
        .field("state", &[3])
        .field("family", &2u16.to_ne_bytes())
        .field("dport", &80u16.to_be_bytes())
        .field("sport", &8080u16.to_be_bytes())
        .field("num", &8080u16.to_ne_bytes())
        .field("daddr", &[10, 0, 0, 2])
        .number("newstate", 1);
    let Ok(Some(Fact::State { sock, new })) = record.fact(Observation::State) else { panic!() };
    assert_eq!((sock.address, sock.state, new), (0x77, 3, 1));
    assert_eq!((sock.dport, sock.sport, sock.num), (80, 8080, 8080));
    assert_eq!(sock.remote[0].to_ne_bytes(), [10, 0, 0, 2]);
}

#[test]
fn headers_that_are_no_ip_or_out_of_reach_are_counted() {
    let record = Record::new().buffer(&[0; 40], 40, 0, 0);
    assert_eq!(record.fact(Observation::Sent), Err(Counter::Unparsed));
    let record = Record::new().number("family", 2).number("head", HEAD);
    let record = record.number("data", HEAD + 5000).number("len", 40);
    let record = record.field("window", &[0x45; WINDOW]);
    assert_eq!(record.fact(Observation::Received), Err(Counter::Unparsed));
    let mut icmp = tcp4(5, 0);
    icmp[9] = 1;
    assert_eq!(Record::new().buffer(&icmp, 84, 0, 0).fact(Observation::Sent), Ok(None));
    let unix = Record::new().number("family", 1).buffer(&[0; 40], 40, 20, 0);
    assert_eq!(unix.fact(Observation::Received), Ok(None));
    let copy = Record::new().number("family", 2).number("kind", u64::from(RAW));
    assert_eq!(copy.buffer(&tcp4(5, 0x10), 40, 0, 0).fact(Observation::Received), Ok(None));
}

/// A read that fails leaves what an earlier record had there.
#[test]
fn nothing_is_behind_a_null_pointer() {
    let file = |socket| {
        let record = Record::new().number("sock", 1).number("socket", socket).number("file", 77);
        match record.fact(Observation::Listen) {
            Ok(Some(Fact::Listen { sock })) => sock.has_file,
            other => panic!("{other:?}"),
        }
    };
    assert!(file(0xffff_8880_0000_1000));
    assert!(!file(0));
}
