//! Arguments of a program in many records.

use serde_json::{Value, json};
use socket_agent::audit::document::{Options, Schema};

use crate::documents;

fn started(records: &[&str]) -> String {
    let mut log = "type=SYSCALL msg=audit(1.000:70): arch=c000003e syscall=59 success=yes exit=0 \
                   items=0 pid=77 comm=\"x\" exe=\"/usr/bin/x\"\n"
        .to_owned();
    for record in records {
        log += &format!("type=EXECVE msg=audit(1.000:70): {record}\n");
    }
    log + "type=PROCTITLE msg=audit(1.000:70): proctitle=\"x\"\n"
}

fn document(records: &[&str], schema: Schema) -> Value {
    let options = Options { schema, include_warnings: true, ..Options::default() };
    documents(started(records).as_bytes(), options).0.remove(0)
}

#[test]
fn pieces_are_joined_by_number() {
    let records = [
        r#"argc=3 a0="sh" a1_len=12 a1[0]="abc""#,
        r#"a1[2]="ghi""#,
        r#"a1[1]="def" a1[3]="jkl" a2="end""#,
    ];
    let document = document(&records, Schema::Ecs);
    assert_eq!(document["process"]["args"], json!(["sh", "abcdefghijkl", "end"]));
    assert_eq!(
        (&document["auditd"]["incomplete"], &document["error"]),
        (&Value::Null, &Value::Null)
    );
}

#[test]
fn a_missing_piece_is_marked_and_told() {
    let records = [r#"argc=3 a0="sh" a1_len=12 a1[0]="abc""#, r#"a1[3]="jkl" a2="end""#];
    let ecs = document(&records, Schema::Ecs);
    assert_eq!(ecs["process"]["args"], json!(["sh", "abc\u{fffd}jkl", "end"]));
    assert_eq!(ecs["auditd"]["incomplete"], json!(["arguments"]));
    assert_eq!(ecs["error"]["message"], "argument 1: piece 1 is missing");
    let kernel = document(&records, Schema::Kernel);
    assert_eq!(kernel["audit"]["kernel"]["incomplete"], json!(["arguments"]));
    let short = document(&[r#"argc=2 a0="sh" a1_len=12 a1[0]="abc""#], Schema::Ecs);
    assert_eq!(short["auditd"]["incomplete"], json!(["arguments"]));
    assert_eq!(short["error"]["message"], "argument 1: 3 of 12 bytes are there");
}

#[test]
fn empty_arguments_that_a_kernel_left_out_are_there() {
    let document = document(&[r#"argc=5 a0="sh" a1="-c" a3="x""#], Schema::Ecs);
    assert_eq!(document["process"]["args"], json!(["sh", "-c", "", "x", ""]));
    assert_eq!(document["auditd"]["incomplete"], Value::Null);
}
