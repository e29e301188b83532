use std::{collections::BTreeSet, env, fs, net::Ipv6Addr, path::Path, sync::Arc};

use scenarios::schema::{self, Schema};
use serde_json::Value;
use socket_common::{FAMILY_IPV6, Owner, PROTO_UDP, Rank, Tcp, Traffic, Tuple};
use uuid::Uuid;

use ecs::{Agent, Host, Os};

use super::*;
use crate::{
    flow::Cause,
    process::{Container, Identity, Image, Key, Process},
};

const ID: &str = "a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f90";
const MILLI: u64 = 1_000_000;

/// Boottime zero is 2019-08-22T20:46:35Z.
fn clock() -> Clock {
    Clock::fixed(Timestamp::from_nanos(1_566_506_795_000_000_000))
}

fn metadata() -> Metadata {
    let host = Host {
        name: "stretch".to_owned(),
        hostname: "stretch".to_owned(),
        id: "b3531219b5b4449eadbec59d47945649".to_owned(),
        architecture: "x86_64".to_owned(),
        containerized: false,
        os: Os {
            name: "Debian GNU/Linux".to_owned(),
            kernel: "4.9.0-8-amd64".to_owned(),
            codename: Some("stretch".to_owned()),
            platform: "debian".to_owned(),
            version: Some("9 (stretch)".to_owned()),
            family: Some("debian"),
            kind: "linux",
        },
        ip: ["10.0.2.15", "2001:db8::15"].map(|ip| ip.parse().unwrap()).into(),
        mac: BTreeSet::from(["08-00-27-8D-C0-4D".to_owned()]),
    };
    let agent = Agent { version: "0.0.0", ..Agent::new(Uuid::max(), Uuid::nil(), "stretch") };
    Metadata::new(&host, &agent).unwrap()
}

fn curl() -> Process {
    let key = Key { pid: 4970, start_ticks: 12 };
    Process {
        pid: key.pid,
        start_ns: 120 * MILLI,
        created: clock().wall(120 * MILLI),
        parent_pid: 4960,
        entity_id: Identity::new("machine", "boot").entity_id(key).into(),
        image: Arc::new(Image {
            name: "curl".into(),
            args: ["curl", "http://example.com/", "-o", "/dev/null"].map(str::to_owned).into(),
            args_truncated: false,
            executable: Some("/usr/bin/curl".into()),
            working_directory: Some("/home/vagrant".into()),
        }),
        image_since: 121 * MILLI,
        cgroup_id: 0,
        cgroup_path: None,
        container: None,
    }
}

/// The flow of the document that Beats give as their example.
fn http() -> FlowRecord {
    let mut tuple = Tuple {
        local_port: 40_192,
        remote_port: 80,
        netns: 4_026_531_840,
        family: FAMILY_IPV4,
        protocol: PROTO_TCP,
        ..Tuple::default()
    };
    tuple.local[0] = u32::from_ne_bytes([10, 0, 2, 15]);
    tuple.remote[0] = u32::from_ne_bytes([151, 101, 66, 217]);
    let flow = Flow {
        id: 0x1_0000_002a,
        sock: 0xffff_8de2_9d33_7000,
        socket_id: 0x1_0000_002a,
        tuple,
        owner: Owner {
            pid: 4970,
            tid: 4971,
            uid: 1000,
            gid: 1000,
            euid: 1000,
            egid: 1000,
            ..Owner::default()
        },
        traffic: Traffic { packets_out: 5, bytes_out: 294, packets_in: 6, bytes_in: 437 },
        first: 200 * MILLI,
        last: 200 * MILLI + 30_728_600,
        ended: 231 * MILLI,
        tcp: Tcp { state: 5, srtt_us: 7_500, counted: 1, connect_ns: 7_654_321, ..Tcp::default() },
        began: Began::Connect as u8,
        rank: Rank::FirstIo as u8,
        ..Flow::default()
    };
    FlowRecord {
        flow,
        direction: Direction::Egress,
        cause: Cause::Closed,
        is_final: true,
        is_first: true,
        complete: true,
        until: 5_173 * MILLI,
    }
}

/// Names of an owned flow: of both its ends over IPv6, of its peer over IPv4.
fn domains(flow: &Flow) -> Domains {
    let domain = |name: &str, source| Some(Domain { name: name.into(), source });
    match (flow.owner.pid, flow.tuple.family) {
        (0, _) => Domains::default(),
        (_, FAMILY_IPV6) => Domains {
            local: domain("web.example.net", Source::Host),
            remote: domain("localhost", Source::Inherited),
        },
        _ => Domains { local: None, remote: domain("example.net", Source::Asked) },
    }
}

fn document(record: &FlowRecord, process: Option<&Process>) -> Value {
    let named = record.flow.owner.pid != 0;
    let domains = domains(&record.flow);
    let (user, group) = (named.then_some("vagrant"), named.then_some("users"));
    let (ids, rank) = (&record.flow.owner, record.flow.rank);
    let event = FlowDocument {
        record,
        owner: OwnerFacts { ids, rank, process, user, group },
        domains: &domains,
        reported: clock().wall(record.until),
        clock: &clock(),
        metadata: &metadata(),
    };
    let mut buffer = b"before ".to_vec();
    ecs::write_json(&event, &mut buffer);
    let mut tree = b"before ".to_vec();
    ecs::Document::of(&event).write(&mut tree);
    assert_eq!(buffer, tree, "both writers write the same");
    let text = buffer.strip_prefix(b"before ").unwrap();
    assert!(!text.contains(&b'\n'));
    let document: Value = serde_json::from_slice(text).unwrap();
    let problems = Schema::load().unwrap().problems(&document);
    assert!(problems.is_empty(), "{problems:#?}\nin {document:#}");
    document
}

/// Compares with a file in testdata; `UPDATE_GOLDEN=1` writes the file instead.
fn assert_golden(name: &str, document: &Value) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/event/testdata").join(name);
    let text = format!("{document:#}\n");
    if env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, text).unwrap();
        return;
    }
    let golden: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let place = path.display();
    assert!(golden == *document, "{place} differs; UPDATE_GOLDEN=1 writes it anew\n{text}");
}

#[test]
fn a_tcp_flow_has_every_field_of_the_example() {
    let document = document(&http(), Some(&curl()));
    assert_eq!(schema::missing(&document, &schema::FLOW_FIELDS), [""; 0]);
    assert_eq!(document["network"]["community_id"], "1:jdjL1TkdpF1v1GM0+JxRRp+V7KI=");
    assert_golden("tcp_egress.json", &document);
}

#[test]
fn retransmissions_that_are_not_known_are_not_told_as_none() {
    let mut record = http();
    assert_eq!(document(&record, None)["system"]["audit"]["socket"]["tcp"]["retransmits"], 0);
    record.flow.tcp = Tcp { counted: 0, srtt_us: 0, ..record.flow.tcp };
    let document = document(&record, None);
    let tcp = &document["system"]["audit"]["socket"]["tcp"];
    assert_eq!((tcp.get("retransmits"), tcp.get("srtt_us")), (None, None));
    assert_eq!(tcp["state"], "fin_wait2");
}

#[test]
fn an_incoming_ipv6_flow_in_a_container() {
    let mut record = http();
    record.direction = Direction::Ingress;
    record.complete = false;
    let flow = &mut record.flow;
    flow.tuple.family = FAMILY_IPV6;
    flow.tuple.local = Tuple::address_words(Ipv6Addr::LOCALHOST.octets());
    flow.tuple.remote = Tuple::address_words(Ipv6Addr::LOCALHOST.octets());
    (flow.tuple.local_port, flow.tuple.remote_port) = (8080, 50_000);
    flow.began = Began::Accept as u8;
    flow.rank = Rank::Listener as u8;
    flow.owner.cgroup = u64::MAX;
    flow.tcp = Tcp {
        state: 8,
        error: libc::EPIPE.unsigned_abs(),
        retransmits: 3,
        counted: 1,
        ..Tcp::default()
    };
    let mut process = curl();
    process.cgroup_path = Some(format!("/system.slice/docker-{ID}.scope").into());
    let pod_uid = Some("5a1b6c2e-8f3d-4c3e-9a51-7a6f4e0d1c2b".into());
    let container = Container { id: ID.into(), runtime: Some("docker"), pod_uid };
    process.container = Some(Arc::new(container));
    let image = Image { args_truncated: true, ..Image::clone(&process.image) };
    process.image = Arc::new(image);
    assert_golden("tcp6_ingress_container.json", &document(&record, Some(&process)));
}

#[test]
fn a_udp_flow_without_an_owner() {
    let mut record = http();
    record.direction = Direction::Unknown;
    record.is_final = false;
    record.cause = Cause::Stop;
    record.complete = false;
    let flow = &mut record.flow;
    flow.tuple.protocol = PROTO_UDP;
    flow.owner = Owner::default();
    (flow.rank, flow.began) = (0, Began::Midway as u8);
    (flow.tcp, flow.ended) = (Tcp::default(), 0);
    flow.drops = 3;
    (flow.tuple.local_port, flow.tuple.remote_port) = (53, 40_000);
    let document = document(&record, None);
    // The higher port is taken for the client.
    assert_eq!(document["source"]["ip"], "151.101.66.217");
    for field in ["process", "user", "group", "container"] {
        assert_eq!(document[field], Value::Null, "{field}");
    }
    assert_golden("udp_unowned.json", &document);
}

#[test]
fn what_each_end_sent_follows_the_roles() {
    for (direction, source, destination) in [
        (Direction::Egress, ("10.0.2.15", 5, 294), ("151.101.66.217", 6, 437)),
        (Direction::Ingress, ("151.101.66.217", 6, 437), ("10.0.2.15", 5, 294)),
        (Direction::Unknown, ("10.0.2.15", 5, 294), ("151.101.66.217", 6, 437)),
    ] {
        let document = document(&FlowRecord { direction, ..http() }, Some(&curl()));
        for (end, (ip, packets, bytes)) in [("source", source), ("destination", destination)] {
            assert_eq!(document[end]["ip"], ip, "{direction:?}");
            assert_eq!(document[end]["packets"], packets, "{direction:?}");
            assert_eq!(document[end]["bytes"], bytes, "{direction:?}");
        }
        assert_eq!(document["client"], document["source"]);
        assert_eq!(document["server"], document["destination"]);
        assert_eq!(document["network"]["packets"], 11);
        assert_eq!(document["network"]["bytes"], 731);
    }
}

#[test]
fn a_failed_connect_is_a_failure() {
    let mut record = http();
    let refused = libc::ECONNREFUSED.unsigned_abs();
    record.flow.tcp = Tcp { state: 2, error: refused, ..Tcp::default() };
    let document = document(&record, Some(&curl()));
    assert_eq!(document["event"]["outcome"], "failure");
    assert_eq!(document["system"]["audit"]["socket"]["ended"], "refused");
    assert_eq!(document["system"]["audit"]["socket"]["tcp"]["error"], refused);
    assert_eq!(document["error"]["code"], "ECONNREFUSED");
    assert_eq!(document["error"]["message"], "Connection refused");
}

#[test]
fn event_types_say_what_lies_within_the_record() {
    for (complete, is_first, is_final, ended, expected) in [
        (true, true, true, 1, &["info", "connection", "start", "end"][..]),
        (true, true, true, 0, &["info", "connection", "start"]),
        (true, true, false, 1, &["info", "connection", "start"]),
        (true, false, false, 1, &["info", "connection"]),
        (true, false, true, 1, &["info", "connection", "end"]),
        (false, true, true, 1, &["info", "connection", "end"]),
        (false, true, true, 0, &["info", "connection"]),
    ] {
        let mut record = FlowRecord { complete, is_final, is_first, ..http() };
        record.flow.ended = ended;
        let document = document(&record, None);
        assert_eq!(document["event"]["type"], serde_json::json!(expected), "{record:?}");
    }
}

#[test]
fn times_out_of_order_do_not_wrap() {
    let mut record = http();
    record.flow.last = 0;
    let document = document(&record, None);
    assert_eq!(document["event"]["duration"], 0);
    assert_eq!(document["event"]["end"], document["event"]["start"]);
}

#[test]
fn this_hosts_metadata_follows_the_schema() {
    let host = Host::read(Path::new("/"));
    let state = tempfile::tempdir().unwrap();
    let (agent, _) = Agent::load(state.path(), &host.hostname, &host.id);
    let (record, process) = (http(), curl());
    let (ids, rank) = (&record.flow.owner, record.flow.rank);
    let event = FlowDocument {
        record: &record,
        owner: OwnerFacts { ids, rank, process: Some(&process), user: None, group: None },
        domains: &Domains::default(),
        reported: Clock::now().wall(Clock::boottime()),
        clock: &Clock::now(),
        metadata: &Metadata::new(&host, &agent).unwrap(),
    };
    let mut buffer = Vec::new();
    ecs::write_json(&event, &mut buffer);
    let document: Value = serde_json::from_slice(&buffer).unwrap();
    let problems = Schema::load().unwrap().problems(&document);
    assert!(problems.is_empty(), "{problems:#?}\nin {document:#}");
}
