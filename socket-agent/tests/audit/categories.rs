//! What events are about, by category and type, and how they ended.

use serde_json::{Value, json};

use crate::document;

const BIND: u32 = 49;
const CONNECT: u32 = 42;
const OPENAT: u32 = 257;
const SENDMSG: u32 = 46;
const SENDTO: u32 = 44;
const SETSOCKOPT: u32 = 54;
const WRITE: u32 = 1;

/// A record, with the system call in whose course it was made.
fn with_call(kind: &str, fields: &str, number: u32, result: &str) -> Value {
    document(&format!(
        "type={kind} msg=audit(1.000:7): {fields}\n\
         type=SYSCALL msg=audit(1.000:7): arch=c000003e syscall={number} {result} a0=3 a1=7f a2=0 \
         a3=0 items=0 ppid=1 pid=77 auid=1000 uid=0 gid=0 euid=0 suid=0 fsuid=0 egid=0 sgid=0 \
         fsgid=0 tty=(none) ses=5 comm=\"x\" exe=\"/usr/bin/x\" key=(null)\n\
         type=PROCTITLE msg=audit(1.000:7): proctitle=\"x\"\n"
    ))
}

fn record(kind: &str, fields: &str) -> Value {
    document(&format!("type={kind} msg=audit(1.000:7): {fields}\n"))
}

/// Rules for connections and changed files look at category and type.
#[test]
fn the_call_by_which_a_record_came_about_does_not_count() {
    let configuration = json!(["process", "configuration"]);
    let login =
        "pid=5 uid=0 old-auid=4294967295 auid=1000 tty=(none) old-ses=4294967295 ses=5 res=1";
    let listener = "pid=77 uid=0 auid=1000 tty=(none) ses=5 comm=\"x\" exe=\"/usr/bin/x\" nl-mcgrp=1 \
                    op=connect res=1";
    for (kind, fields, calls, category, types) in [
        (
            "NETFILTER_CFG",
            "table=filter:2 family=2 entries=1 op=nft_register_chain pid=77 comm=\"nft\"",
            &[SENDMSG, SETSOCKOPT][..],
            json!(["configuration", "process"]),
            json!(["change"]),
        ),
        ("LOGIN", login, &[WRITE], json!(["authentication"]), json!(["start"])),
        ("EVENT_LISTENER", listener, &[BIND], configuration.clone(), json!(["info"])),
        (
            "ANOM_PROMISCUOUS",
            "dev=eth0 prom=256 old_prom=0 auid=1000 uid=0 gid=0 ses=5",
            &[SETSOCKOPT, WRITE, SENDTO],
            json!(["configuration", "process", "intrusion_detection"]),
            json!(["change", "info"]),
        ),
        (
            "CONFIG_CHANGE",
            "auid=1000 ses=5 op=add_rule key=\"k\" list=4 res=1",
            &[SENDTO],
            configuration,
            json!(["change"]),
        ),
        (
            "MAC_STATUS",
            "enforcing=0 old_enforcing=1 auid=1000 ses=5",
            &[WRITE],
            json!(["configuration"]),
            json!(["change"]),
        ),
    ] {
        for call in calls {
            let document = with_call(kind, fields, *call, "success=yes exit=4");
            let event = &document["event"];
            assert_eq!((&event["category"], &event["type"]), (&category, &types), "{kind} {call}");
            assert_eq!(document["network"], Value::Null, "{kind}");
            assert_eq!(document["process"]["executable"], "/usr/bin/x", "{kind}");
        }
    }
}

/// The call is what a security module judges.
#[test]
fn the_call_that_a_record_is_about_counts() {
    let avc = "avc:  denied  { read } for  pid=77 comm=\"x\" name=\"shadow\" dev=\"sda1\" ino=55 \
               scontext=a:b:c:s0 tcontext=d:e:f:s0 tclass=file permissive=0";
    let open = with_call("AVC", avc, OPENAT, "success=no exit=-13");
    assert_eq!(open["event"]["category"], json!(["intrusion_detection", "file"]));
    assert_eq!(open["event"]["type"], json!(["denied", "info"]));

    let log = "type=AVC msg=audit(1.000:7): apparmor=\"DENIED\" operation=\"connect\" profile=\"p\" \
               pid=77 comm=\"x\"\n\
               type=SYSCALL msg=audit(1.000:7): arch=c000003e syscall=42 success=no exit=-13 a0=3 \
               pid=77 uid=0 comm=\"x\" exe=\"/usr/bin/x\" key=(null)\n\
               type=SOCKADDR msg=audit(1.000:7): saddr=020001BBCB0071090000000000000000\n\
               type=PROCTITLE msg=audit(1.000:7): proctitle=\"x\"\n";
    let connect = document(log);
    assert_eq!(connect["event"]["category"], json!(["intrusion_detection", "network"]));
    assert_eq!(connect["destination"]["ip"], "203.0.113.9");
    assert_eq!(connect["network"]["direction"], "egress");
}

#[test]
fn what_selinux_grants_is_no_violation() {
    let labels = "scontext=system_u:system_r:init_t:s0 tcontext=system_u:object_r:security_t:s0";
    let granted =
        format!("avc:  granted  {{ load_policy }} for  pid=1 comm=\"x\" {labels} tclass=security");
    let document = record("AVC", &granted);
    assert_eq!(document["event"]["action"], "allowed-by-selinux");
    assert_eq!(document["event"]["type"], json!(["allowed"]));
    assert_eq!(document["event"]["outcome"], "success");

    let denied = |permissive| {
        format!("avc:  denied  {{ read }} for  pid=9 comm=\"x\" {labels} tclass=file{permissive}")
    };
    for permissive in ["", " permissive=0"] {
        let document = record("AVC", &denied(permissive));
        assert_eq!(document["event"]["action"], "violated-selinux-policy");
        assert_eq!(document["event"]["type"], json!(["denied"]));
        assert_eq!(document["event"]["outcome"], "failure");
    }
    let permitted = record("AVC", &denied(" permissive=1"));
    assert_eq!(
        permitted["event"]["action"], "violated-selinux-policy",
        "it would have been denied"
    );
    assert_eq!(permitted["event"]["type"], json!(["allowed"]));
    assert_eq!(permitted["event"]["outcome"], "success");
    assert_eq!(permitted["auditd"]["data"]["seresult"], "denied");

    // What became of the call is known better.
    let call = with_call("AVC", &denied(" permissive=1"), CONNECT, "success=no exit=-111");
    assert_eq!(call["event"]["outcome"], "failure");
    assert_eq!(call["event"]["type"], json!(["allowed", "connection", "start"]));

    let message = format!("pid=1 uid=0 auid=5 ses=2 msg='{}'", denied(" permissive=1"));
    let of_program = record("USER_AVC", &message);
    assert_eq!(of_program["event"]["action"], "access-permission");
    assert_eq!(of_program["event"]["outcome"], "success");
    assert_eq!(of_program["event"]["type"], json!(["allowed"]));
}
