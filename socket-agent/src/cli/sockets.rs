//! `socket-agent show sockets`.

use std::{net::SocketAddr, process::ExitCode};

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use socket_common::{PROTO_TCP, Rank, Tuple};

use super::{PATIENCE, report::print};
use crate::services::Shared;
use flow::{
    SocketRole, address,
    document::{OwnerFacts, SocketChange, SocketDocument, direction, state_name},
};
use linux::{Names, clock::Clock, random};
use sensor::sockets::{self, OpenSocket};

#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// A table, or one document per line as the agent reports them.
    #[arg(short, long, value_enum, default_value = "table")]
    output: Form,
    /// Only those that wait for whoever wants to talk to them.
    #[arg(short, long)]
    listening: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Form {
    Table,
    Json,
}

const HEAD: [&str; 10] = [
    "PROTO",
    "DIRECTION",
    "STATE",
    "LOCAL",
    "REMOTE",
    "PID",
    "PROCESS",
    "USER",
    "CONTAINER",
    "NETNS",
];
/// Characters of a container's id, as the runtimes' own tables have them.
const ID: usize = 12;

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let mut listing = sockets::list().context("open sockets cannot be listed")?;
    if let Some(problem) = &listing.problem {
        log::warn!(
            target: "sensor",
            "{} network namespaces are left out: {problem}; run as root",
            listing.missed
        );
    }
    if arguments.listening {
        listing.sockets.retain(|socket| socket.role == SocketRole::Listening);
    }
    let shared = Shared::look()?;
    let text = match arguments.output {
        Form::Table => table(&listing.sockets, &shared),
        Form::Json => documents(&listing.sockets, &shared)?,
    };
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn documents(sockets: &[OpenSocket], shared: &Shared) -> anyhow::Result<String> {
    let mut names = shared.accounts.names();
    // The first question is for the name service's sake, which answers later.
    for socket in sockets {
        let owner = socket.owner();
        let _ = (names.user(owner.uid), names.group(owner.gid));
    }
    names.settle(PATIENCE);
    let clock = Clock::now();
    let reported = clock.wall(Clock::boottime());
    let report = random::uuid();
    let mut text = Vec::new();
    for socket in sockets {
        let owner = socket.owner();
        let process = socket.holder.and_then(|h| shared.processes().running(h.pid, h.start_ticks));
        let (user, group) = (names.user(owner.uid), names.group(owner.gid));
        let document = SocketDocument {
            change: SocketChange::Existing(report),
            tuple: &socket.tuple,
            role: socket.role,
            owner: OwnerFacts {
                ids: &owner,
                rank: Rank::Holder as u8,
                process: process.as_deref(),
                user: user.as_deref(),
                group: group.as_deref(),
            },
            state: Some(socket.state),
            inode: socket.inode,
            sock: 0,
            flow: 0,
            since: 0,
            closed: 0,
            reported,
            clock: &clock,
            metadata: &shared.metadata,
        };
        ecs::write_json(&document, &mut text);
        text.push(b'\n');
    }
    String::from_utf8(text).context("a document is not UTF-8")
}

fn table(sockets: &[OpenSocket], shared: &Shared) -> String {
    let mut names = shared.accounts.names();
    for socket in sockets {
        let _ = names.user(user(socket));
    }
    names.settle(PATIENCE);
    let rows = sockets.iter().map(|socket| row(socket, shared, &mut names)).collect();
    align(rows)
}

/// Whose a socket is.
fn user(socket: &OpenSocket) -> u32 {
    socket.holder.map_or(socket.uid, |holder| holder.ids.uid)
}

fn row(socket: &OpenSocket, shared: &Shared, names: &mut Names) -> [String; 10] {
    const NONE: &str = "-";
    let tuple = &socket.tuple;
    let process = socket.holder.and_then(|h| shared.processes().running(h.pid, h.start_ticks));
    let user = user(socket);
    let container = process.as_ref().and_then(|process| process.container.as_deref());
    let id = container.map_or(NONE, |container| container.id.get(..ID).unwrap_or(&container.id));
    [
        if tuple.protocol == PROTO_TCP { "tcp" } else { "udp" }.to_owned(),
        direction(socket.role).to_owned(),
        if tuple.protocol == PROTO_TCP { state_name(socket.state) } else { None }
            .unwrap_or(NONE)
            .to_owned(),
        end(tuple, tuple.local, tuple.local_port),
        if tuple.remote_port == 0 {
            NONE.to_owned()
        } else {
            end(tuple, tuple.remote, tuple.remote_port)
        },
        socket.holder.map_or_else(|| NONE.to_owned(), |holder| holder.pid.to_string()),
        process.as_ref().map_or_else(|| NONE.to_owned(), |process| process.image.name.to_string()),
        names.user(user).map_or_else(|| user.to_string(), |name| name.to_string()),
        id.to_owned(),
        tuple.netns.to_string(),
    ]
}

fn end(tuple: &Tuple, words: [u32; 4], port: u16) -> String {
    SocketAddr::new(address(tuple, words), port).to_string()
}

/// Columns as wide as their widest cell, two blanks apart. Control characters, which a process may
/// put into its name, are replaced.
fn align(rows: Vec<[String; 10]>) -> String {
    let plain = |cell: &String| cell.replace(char::is_control, "?");
    let mut lines = vec![HEAD.map(str::to_owned)];
    lines.extend(rows.into_iter().map(|row| row.each_ref().map(plain)));
    let mut widths = [0; HEAD.len()];
    for line in &lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for line in lines {
        let cells = line.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned() {
        let mut row = HEAD.map(|_| "-".to_owned());
        row[3] = "127.0.0.1:8080".to_owned();
        row[6] = "a\x1b[2Jb".to_owned();
        let text = align(vec![row]);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0].find("REMOTE"), Some(lines[1].find("127").unwrap() + 16));
        assert!(lines[1].contains("a?[2Jb"), "{}", lines[1]);
        assert!(lines.iter().all(|line| !line.ends_with(' ')));
    }
}
