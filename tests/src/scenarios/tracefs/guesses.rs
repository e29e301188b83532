//! Offsets that are found by trying.

use std::{collections::BTreeMap, process::Command};

use anyhow::{Context, Result, ensure};

use crate::{fixture::Fixture, skip::skip};

/// What guesses do not look for: members behind a route, a device or a cgroup, figures of a connection, how a
/// task ended, MPTCP connections, and where addresses are that newer kernels have in the socket itself.
const UNTRIED: [&str; 24] = [
    "inet_sock.pinet6",
    "ipv6_pinfo.rcv_saddr",
    "ipv6_pinfo.daddr",
    "tcp_sock.srtt_us",
    "tcp_sock.total_retrans",
    "sk_buff.dev",
    "sk_buff.skb_iif",
    "sk_buff.cb",
    "sk_buff._skb_refdst",
    "inet_skb_parm.frag_max_size",
    "inet6_skb_parm.frag_max_size",
    "dst_entry.dev",
    "dst_entry._metrics",
    "net_device.nd_net",
    "net_device.mtu",
    "task_struct.exit_code",
    "task_struct.cgroups",
    "css_set.dfl_cgrp",
    "cgroup.kn",
    "kernfs_node.id",
    "tcp_sock.is_mptcp",
    "inet_connection_sock.icsk_ulp_data",
    "mptcp_subflow_context.conn",
    "mptcp_sock.first",
];

/// Offset and size in bytes of each member, `None` if it was not found.
type Places = BTreeMap<String, Option<(u32, u32)>>;

/// What is found by trying is what the kernel's type information says.
pub(super) fn are_right(fixture: &Fixture<'_>) -> Result<()> {
    if !fixture.options.is_described() {
        return Err(skip("there is no type information to compare with"));
    }
    let mut arguments = vec!["show".into(), "offsets".into()];
    if let Some(types) = &fixture.options.btf {
        arguments.extend(["--btf".into(), types.display().to_string()]);
    }
    let (true_places, _) = places(fixture, &arguments)?;
    let (tried, failed) = places(fixture, &["show", "offsets", "--guess"].map(str::to_owned))?;
    ensure!(true_places.keys().eq(tried.keys()), "the two lists name different members");
    let (true_places, tried) = (renamed(true_places), renamed(tried));
    let mut wrong = Vec::new();
    let mut right = 0;
    for (name, truth) in &true_places {
        match (truth, tried[name]) {
            (Some((offset, _)), Some((found, _))) if *offset == found => right += 1,
            // Another kernel has it, or guesses do not look for it.
            (_, None) if truth.is_none() || UNTRIED.contains(&name.as_str()) => {}
            (truth, found) => wrong.push(format!("{name}: found {found:?}, should be {truth:?}")),
        }
    }
    println!("{}: {right} of {} members found", fixture.name, true_places.len());
    ensure!(wrong.is_empty(), "{} ({failed})", wrong.join("; "));
    ensure!(right > 0, "nothing was found");
    Ok(())
}

/// Members with a name that older kernels have for them: that of 5.5 and newer, and the older.
const RENAMED: [(&str, &str); 1] = [("task_struct.start_boottime", "task_struct.real_start_time")];

/// The places with those of older names under the newer: what is found by trying has but one of them.
fn renamed(mut places: Places) -> Places {
    for (name, older) in RENAMED {
        let place = places.remove(older).flatten();
        let own = places.entry(name.to_owned()).or_default();
        *own = own.or(place);
    }
    places
}

/// The members that the agent lists, and what it says beside.
fn places(fixture: &Fixture<'_>, arguments: &[String]) -> Result<(Places, String)> {
    let output = Command::new(&fixture.options.program).args(arguments).output();
    let output = output.context("starting the agent's program")?;
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    ensure!(output.status.success(), "{arguments:?} failed: {said}");
    let text = String::from_utf8(output.stdout).context("not UTF-8")?;
    let place = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            [name, "-"] => Ok((name.to_owned(), None)),
            [name, offset, size] => Ok((name.to_owned(), Some((offset.parse()?, size.parse()?)))),
            _ => anyhow::bail!("what is {line:?}?"),
        }
    };
    Ok((text.lines().map(place).collect::<Result<_>>()?, said))
}
