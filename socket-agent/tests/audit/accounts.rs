//! Whose account a record is about, and who reports it.
//!
//! Ids and names are those that `ausearch -i` shows for the same field.

use serde_json::{Value, json};
use socket_agent::audit::{
    document::{Options, Schema},
    normalise::IdNames,
    records::Text,
};

use crate::{document, documents_with};

/// A host with three users and two groups.
struct Host;

const USERS: [(&str, u32); 3] = [("root", 0), ("ann", 1000), ("games", 5)];
const GROUPS: [(&str, u32); 2] = [("root", 0), ("staff", 50)];

fn name(of: &[(&'static str, u32)], id: u32) -> Option<Text<'static>> {
    of.iter().find(|(_, known)| *known == id).map(|(name, _)| (*name).into())
}

fn id(of: &[(&str, u32)], name: &str) -> Option<u32> {
    of.iter().find(|(known, _)| *known == name).map(|(_, id)| *id)
}

impl IdNames for Host {
    fn user(&mut self, uid: u32) -> Option<Text<'static>> {
        name(&USERS, uid)
    }

    fn group(&mut self, gid: u32) -> Option<Text<'static>> {
        name(&GROUPS, gid)
    }

    fn user_id(&mut self, name: &str) -> Option<u32> {
        id(&USERS, name)
    }

    fn group_id(&mut self, name: &str) -> Option<u32> {
        id(&GROUPS, name)
    }
}

/// The one document of a log, with the names of that host.
fn on_host(log: &str) -> Value {
    let (mut documents, _) = documents_with(log.as_bytes(), Options::default(), Box::new(Host));
    assert_eq!(documents.len(), 1, "{documents:#?}");
    documents.remove(0)
}

/// A record that a program has sent: what the kernel says of the program, and what that says.
fn sent(kind: &str, of_program: &str, message: &str) -> String {
    format!("type={kind} msg=audit(1.000:7): {of_program} msg='{message}'\n")
}

const SSHD: &str = "pid=374 uid=0 auid=4294967295 ses=4294967295 subj=system_u:system_r:sshd_t:s0";

#[test]
fn the_account_is_the_one_in_the_message() {
    let tail = "exe=\"/usr/sbin/sshd\" hostname=10.1.1.1 addr=10.1.1.1 terminal=ssh res=success";
    let faillock = format!("pam_faillock uid=1004  {tail}");
    let failures = on_host(&sent("ANOM_LOGIN_FAILURES", SSHD, &faillock));
    assert_eq!(failures["user"]["effective"], json!({"id": "1004"}));
    assert_eq!(failures["auditd"]["summary"]["actor"]["secondary"], "1004");
    assert_eq!((&failures["user"]["id"], &failures["user"]["name"]), (&Value::Null, &Value::Null));
    assert_eq!(failures["related"]["user"], Value::Null);
    assert_eq!(failures["auditd"]["data"]["uid"], "0", "the program that reports");

    let lock = on_host(&sent("RESP_ACCT_LOCK", SSHD, &faillock));
    assert_eq!(lock["user"]["target"], json!({"id": "1004"}));
    assert_eq!(lock["auditd"]["summary"]["object"], json!({"type": "account", "primary": "1004"}));
    assert_eq!(lock["user"]["effective"]["name"], "root", "who has locked it");

    let tally = "pam_tally2 uid=1000 reset=0 exe=\"/sbin/pam_tally2\" hostname=? res=success";
    let tally = on_host(&sent("USER_ACCT", SSHD, tally));
    assert_eq!(tally["user"]["effective"], json!({"id": "1000", "name": "ann"}));
    assert_eq!(tally["related"]["user"], json!(["ann"]));
}

/// systemd says who has asked for a service; the record is its own.
#[test]
fn a_program_that_asked_is_not_mixed_with_the_one_that_reports() {
    let message = "avc:  denied  { start } for auid=1000 uid=1001 gid=1002 \
                   path=\"/usr/lib/systemd/system/httpd.service\" \
                   cmdline=\"systemctl start httpd\" scontext=staff_u:staff_r:staff_t:s0 \
                   tcontext=system_u:object_r:httpd_unit_file_t:s0 tclass=service permissive=0  \
                   exe=\"/usr/lib/systemd/systemd\" sauid=0 hostname=? addr=? terminal=?";
    let systemd = "pid=1 uid=0 auid=4294967295 ses=4294967295 subj=system_u:system_r:init_t:s0";
    let document = on_host(&sent("USER_AVC", systemd, message));
    let user = &document["user"];
    assert_eq!(user["audit"], json!({"id": "1000", "name": "ann"}));
    assert_eq!(user["id"], "1001");
    assert_eq!(user["name"], Value::Null);
    assert_eq!(user["group"]["id"], "1002");
    assert_eq!(user["selinux"]["domain"], "staff_t");
    let data = &document["auditd"]["data"];
    assert_eq!((&data["uid"], &data["uid_name"]), (&json!("0"), &json!("root")), "who reports it");
    assert_eq!(data["auid"], Value::Null);
    assert_eq!((&data["sauid"], &data["sauid_name"]), (&json!("0"), &json!("root")));

    // One that says nothing of who has asked: the ids are its own, and none are from the message.
    let message = "avc:  denied  { send_msg } for scontext=a:b:c:s0 tcontext=d:e:f:s0 tclass=dbus \
                   permissive=0 exe=\"/usr/bin/dbus-daemon\" sauid=81";
    let document = on_host(&sent("USER_AVC", "pid=9 uid=81 auid=5 ses=2 subj=g:h:i:s0", message));
    assert_eq!(
        (&document["user"]["id"], &document["user"]["audit"]["id"]),
        (&json!("81"), &json!("5"))
    );
    assert_eq!(document["user"]["selinux"]["domain"], "i");

    // One that names a user alone: the login user of the one that reports is not his.
    let message = "avc:  denied  { x } for uid=1001 scontext=a:b:c:s0 tcontext=d:e:f:s0 tclass=db";
    let document = on_host(&sent("USER_AVC", "pid=9 uid=81 auid=5 ses=2 subj=g:h:i:s0", message));
    assert_eq!(
        (&document["user"]["id"], &document["user"]["audit"]),
        (&json!("1001"), &Value::Null)
    );
    let data = &document["auditd"]["data"];
    assert_eq!((&data["uid"], &data["auid"]), (&json!("81"), &json!("5")));
}

#[test]
fn what_is_said_twice_of_two_is_there_twice() {
    let message = "unit=cron comm=\"systemd\" exe=\"/usr/lib/systemd/systemd\" exe=\"/bin/x\" \
                   uid=1000 pid=55 res=success";
    let log = sent("SERVICE_START", "pid=1 uid=0 auid=4294967295 ses=4294967295", message);
    let document = on_host(&log);
    assert_eq!((&document["process"]["pid"], &document["user"]["id"]), (&json!(1), &json!("0")));
    assert_eq!(document["process"]["executable"], "/usr/lib/systemd/systemd");
    let data = &document["auditd"]["data"];
    assert_eq!((&data["pid"], &data["exe"]), (&json!("55"), &json!("/bin/x")));
    assert_eq!((&data["uid"], &data["uid_name"]), (&json!("1000"), &json!("ann")));

    // In the original form process and other fields share a place.
    let options = Options { schema: Schema::Kernel, ..Options::default() };
    let original = documents_with(log.as_bytes(), options, Box::new(Host)).0.remove(0);
    let data = &original["audit"]["kernel"]["data"];
    assert_eq!(data["exe"], json!(["/usr/lib/systemd/systemd", "/bin/x"]));
    assert_eq!(data["pid"], json!(["1", "55"]));
    assert_eq!(data["comm"], "systemd");
}

#[test]
fn names_have_their_numbers() {
    let auth = "op=PAM:authentication acct=\"games\" exe=\"/usr/bin/sudo\" hostname=? addr=? \
                terminal=pts/0 res=success";
    let auth = on_host(&sent("USER_AUTH", "pid=1 uid=1000 auid=1000 ses=1", auth));
    assert_eq!(auth["user"]["effective"], json!({"id": "5", "name": "games"}));

    let change = "op=PAM:chauthtok acct=\"ann\" exe=\"/usr/bin/passwd\" res=success";
    let change = on_host(&sent("USER_CHAUTHTOK", "pid=1 uid=0 auid=5 ses=1", change));
    assert_eq!(change["user"]["target"], json!({"id": "1000", "name": "ann"}));

    let group = "op=add-group acct=\"staff\" exe=\"/usr/sbin/groupadd\" res=success";
    let group = on_host(&sent("ADD_GROUP", "pid=1 uid=0 auid=5 ses=1", group));
    assert_eq!(group["group"], json!({"id": "50", "name": "staff"}), "a group is no user");
    let object = &group["auditd"]["summary"]["object"];
    assert_eq!(*object, json!({"type": "account", "primary": "staff", "secondary": "50"}));

    let member = "op=changing acct=\"staff\" exe=\"/usr/bin/gpasswd\" res=success";
    let member = on_host(&sent("GRP_CHAUTHTOK", "pid=1 uid=0 auid=5 ses=1", member));
    assert_eq!(member["group"], json!({"id": "50", "name": "staff"}));

    // Without names there is what the record has.
    let user = "op=add-user acct=\"ann\" exe=\"/usr/sbin/useradd\" res=success";
    let user = document(&sent("ADD_USER", "pid=1 uid=0 auid=5 ses=1", user));
    assert_eq!(user["user"]["target"], json!({"name": "ann"}));
}

#[test]
fn a_failed_login_of_nobody_is_nobodys() {
    for account in ["acct=\"(unknown)\"", "acct=28696E76616C6964207573657229", "acct=\"?\"", ""] {
        let message = format!(
            "op=login {account} exe=\"/usr/sbin/sshd\" hostname=? addr=203.0.113.4 terminal=ssh \
             res=failed"
        );
        let document = on_host(&sent("USER_LOGIN", SSHD, &message));
        let user = &document["user"];
        assert_eq!(document["event"]["outcome"], "failure");
        assert_eq!((&user["id"], &user["name"]), (&Value::Null, &Value::Null), "{account}");
        assert_eq!(user["effective"]["id"], Value::Null, "{account}");
        let users = document["related"]["user"].as_array().cloned().unwrap_or_default();
        assert!(!users.contains(&json!("root")), "{account}");
        assert_eq!(document["auditd"]["data"]["uid"], "0", "{account}");
    }
    // Root's own failed login is.
    let message = "op=login acct=\"root\" exe=\"/usr/sbin/sshd\" addr=203.0.113.4 res=failed";
    let document = on_host(&sent("USER_LOGIN", SSHD, message));
    assert_eq!(document["user"]["effective"], json!({"id": "0", "name": "root"}));
    assert_eq!(document["related"]["user"], json!(["root"]));
}

#[test]
fn what_was_changed_has_its_number_and_its_name() {
    let user = "op=adding user id=1000 exe=\"/usr/sbin/useradd\" hostname=web res=success";
    let user = on_host(&sent("ADD_USER", "pid=1 uid=0 auid=5 ses=1", user));
    let object = &user["auditd"]["summary"]["object"];
    assert_eq!(*object, json!({"type": "account", "primary": "1000", "secondary": "ann"}));
    assert_eq!(user["user"]["target"], json!({"id": "1000", "name": "ann"}));

    let login = "type=LOGIN msg=audit(1.000:7): pid=5 uid=0 old-auid=5 auid=1000 tty=(none) \
                 old-ses=2 ses=3 res=1\n";
    let login = on_host(login);
    let object = &login["auditd"]["summary"]["object"];
    assert_eq!(*object, json!({"type": "user-session", "primary": "1000", "secondary": "ann"}));
    assert_eq!(login["user"]["audit"], json!({"id": "1000", "name": "ann"}), "the new one");
    assert_eq!(login["user"]["old-auid"], json!({"id": "5", "name": "games"}));

    // As old kernels have it.
    let old = "type=LOGIN msg=audit(1.000:7): login pid=5 uid=0 old auid=5 new auid=1000 old ses=2 \
               new ses=3\n";
    let old = on_host(old);
    assert_eq!(old["user"]["audit"], login["user"]["audit"]);
    assert_eq!(old["user"]["old-auid"], login["user"]["old-auid"]);

    let first = "type=LOGIN msg=audit(1.000:7): pid=5 uid=0 old-auid=4294967295 auid=1000 res=1\n";
    assert_eq!(on_host(first)["user"]["old-auid"], Value::Null, "there was none");
}

#[test]
fn a_changed_role_is_one_of_the_user_of_the_program() {
    let message = "op=pam: default-context=a:b:c:s0 selected-context=a:b:d:s0 \
                   exe=\"/usr/sbin/sshd\" hostname=10.0.0.1 addr=10.0.0.1 terminal=ssh res=success";
    let document = on_host(&sent("USER_ROLE_CHANGE", "pid=5 uid=0 auid=1000 ses=3", message));
    assert_eq!(document["event"]["category"], json!(["iam"]));
    assert_eq!(document["event"]["type"], json!(["user", "change"]));
    let user = &document["user"];
    assert_eq!((&user["id"], &user["audit"]["id"]), (&json!("0"), &json!("1000")));
    assert_eq!(user["effective"], Value::Null);
}

/// Numbers of a log's host are not looked up on this one where auditd has done so there.
#[test]
fn names_that_auditd_has_added_are_kept() {
    let message = "op=adding user id=1003 exe=\"/usr/sbin/useradd\" hostname=web res=success";
    for separator in ["\u{1d}", " "] {
        let log = sent("ADD_USER", "pid=1 uid=0 auid=1006 ses=1", message);
        let names = "UID=\"toor\" AUID=\"admin7\" ID=\"newbie\"";
        let document = on_host(&format!("{}{separator}{names}\n", log.trim_end()));
        let user = &document["user"];
        assert_eq!(
            (&user["name"], &user["id"]),
            (&json!("admin7"), &json!("1006")),
            "{separator:?}"
        );
        assert_eq!(user["effective"], json!({"id": "0", "name": "toor"}));
        assert_eq!(user["target"], json!({"id": "1003", "name": "newbie"}));
        let data = document["auditd"]["data"].as_object().unwrap();
        let capitals = data.keys().find(|key| key.contains(char::is_uppercase));
        assert_eq!(capitals, None, "{separator:?}");
    }

    // The second of two fields has the second of two names.
    let log = sent("USER_ACCT", "pid=1 uid=0 auid=1000 ses=1", "pam_tally2 uid=7 res=success");
    let document =
        on_host(&format!("{}\u{1d}UID=\"root\" AUID=\"bob\" UID=\"eve\"\n", log.trim_end()));
    assert_eq!(document["user"]["effective"], json!({"id": "7", "name": "eve"}));
    assert_eq!(document["user"]["name"], "bob", "not the one of this host");

    // A number without a name there has none here.
    let log = "type=OBJ_PID msg=audit(1.000:7): opid=5 oauid=1000 ouid=7 oses=3 ocomm=\"x\"\u{1d}\
               OAUID=\"unknown(1000)\" OUID=\"eve\"\n";
    let data = on_host(log)["auditd"]["data"].clone();
    assert_eq!((&data["oauid"], &data["oauid_name"]), (&json!("1000"), &Value::Null));
    assert_eq!((&data["ouid"], &data["ouid_name"]), (&json!("7"), &json!("eve")));
    let log = "type=OBJ_PID msg=audit(1.000:7): opid=5 oauid=1000 ouid=7 oses=3 ocomm=\"x\"\n";
    assert_eq!(on_host(log)["auditd"]["data"]["oauid_name"], "ann");
}
