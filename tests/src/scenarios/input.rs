//! Bad input and hostile surroundings: one line that says the reason and the remedy, an exit status,
//! no panic.

use std::{
    ffi::CString,
    fs,
    io::{self, Read},
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::Path,
    process::{Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use nix::{
    mount::{MntFlags, MsFlags, mount, umount2},
    sched::{CloneFlags, unshare},
};

use super::Scenario;
use crate::{agent::Options, fixture::Fixture, skip::skip};

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario::own("input/btf_missing", |fixture| {
        refuses(
            fixture,
            |command| arguments(command, &["--btf", "/nowhere/btf"]),
            &["/nowhere/btf"],
        )
    })
    .portable(),
    Scenario::own("input/btf_garbage", |fixture| foreign(fixture, b"this is no type information"))
        .portable(),
    Scenario::own("input/btf_empty", |fixture| foreign(fixture, &EMPTY_BTF)).portable(),
    Scenario::own("input/table_size_zero", |fixture| {
        let zero = ["-E", "socket.tables.flows=0"];
        refuses(fixture, |command| arguments(command, &zero), &["socket.tables.flows", "0"])
    })
    .portable(),
    Scenario::own("input/hooks_unknown", |fixture| {
        let options = Options { hooks: "telepathy".to_owned(), ..fixture.options.clone() };
        refuses(&Fixture { options: &options, ..*fixture }, |_| (), &["telepathy", "cgroup"])
    })
    .portable(),
    Scenario::own("input/output_read_only", output_read_only).portable(),
    Scenario::own("input/not_root", not_root),
    Scenario::own("input/cgroup2_hidden", cgroup2_hidden).only("cgroup"),
];

/// No refusal takes longer than this, on an emulated machine too.
const LIMIT: Duration = Duration::from_secs(120);

/// A header of type information that is valid and holds no type.
const EMPTY_BTF: [u8; 25] = {
    let mut bytes = [0; 25];
    let magic = 0xeb9f_u16.to_ne_bytes();
    (bytes[0], bytes[1], bytes[2]) = (magic[0], magic[1], 1);
    let length = 24_u32.to_ne_bytes();
    let mut at = 0;
    while at < 4 {
        bytes[4 + at] = length[at];
        at += 1;
    }
    // One byte of strings: the empty one.
    let one = 1_u32.to_ne_bytes();
    at = 0;
    while at < 4 {
        bytes[20 + at] = one[at];
        at += 1;
    }
    bytes
};

/// Runs the agent as `change` would have it; it has to end with an error, and the one line about it
/// has to hold all of `words`.
fn refuses(fixture: &Fixture<'_>, change: impl FnOnce(&mut Command), words: &[&str]) -> Result<()> {
    let directory = tempfile::tempdir()?;
    let mut command = fixture.options.command(directory.path())?;
    // Bounds the run should the agent not mind.
    command.args(["--duration", "20s"]);
    // Readable for all: where privileges are missing, they are all that is missing.
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755))?;
    change(&mut command);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().context("starting the agent")?;
    let mut stderr = child.stderr.take().context("no standard error")?;
    let (done, said) = mpsc::channel();
    thread::spawn(move || {
        let mut text = String::new();
        let result = stderr.read_to_string(&mut text).map(|_| text);
        // Nobody listens any more when it took too long.
        let _ = done.send(result);
    });
    let said = said.recv_timeout(LIMIT);
    if said.is_err() {
        child.kill()?;
    }
    let status = child.wait()?;
    let said = said.with_context(|| format!("the agent did not end within {LIMIT:?}"))??;
    complaint(status.code(), &said, words)
}

fn arguments(command: &mut Command, arguments: &[&str]) {
    command.args(arguments);
}

fn complaint(code: Option<i32>, said: &str, words: &[&str]) -> Result<()> {
    let code = code.with_context(|| format!("the agent died of a signal: {said}"))?;
    ensure!(code != 0, "the agent exited with success: {said}");
    for bad in ["panicked", "stack backtrace", "RUST_BACKTRACE"] {
        ensure!(!said.contains(bad), "the agent panicked: {said}");
    }
    let errors: Vec<&str> = said
        .lines()
        .filter(|line| !line.trim().is_empty())
        .filter(|line| !["INFO ", "WARN ", "DEBUG "].iter().any(|level| line.contains(level)))
        .collect();
    let [error] = errors[..] else { anyhow::bail!("not one line about the error: {said:?}") };
    for word in words {
        ensure!(error.contains(word), "the error does not mention {word:?}: {error}");
    }
    Ok(())
}

fn foreign(fixture: &Fixture<'_>, bytes: &[u8]) -> Result<()> {
    let file = tempfile::NamedTempFile::new()?;
    fs::write(file.path(), bytes)?;
    let path = file.path().to_string_lossy().into_owned();
    refuses(fixture, |command| arguments(command, &["--btf", &path]), &[&path])
}

fn output_read_only(fixture: &Fixture<'_>) -> Result<()> {
    let target = tempfile::tempdir()?;
    let path = c_path(target.path())?;
    let file = target.path().join("flows.ndjson").to_string_lossy().into_owned();
    let change = |command: &mut Command| {
        command.args(["--output-file", &file]);
        let before = move || {
            private_mounts()?;
            let flags = MsFlags::MS_RDONLY;
            let source = Some(c"tmpfs");
            mount(source, path.as_c_str(), source, flags, None::<&std::ffi::CStr>)?;
            Ok(())
        };
        // SAFETY: only system calls are made between fork and exec.
        unsafe { command.pre_exec(before) };
    };
    refuses(fixture, change, &[&file])
}

fn not_root(fixture: &Fixture<'_>) -> Result<()> {
    const NOBODY: u32 = 65_534;
    // A copy that the other user can reach, whatever directory the agent is in.
    let reachable = tempfile::tempdir()?;
    fs::set_permissions(reachable.path(), fs::Permissions::from_mode(0o755))?;
    let program = reachable.path().join("socket-agent");
    fs::copy(&fixture.options.program, &program).context("copying the agent")?;
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;
    let options = Options { program, ..fixture.options.clone() };
    let fixture = Fixture { options: &options, ..*fixture };
    let change = |command: &mut Command| {
        command.uid(NOBODY).gid(NOBODY);
    };
    refuses(&fixture, change, &["root"])
}

fn cgroup2_hidden(fixture: &Fixture<'_>) -> Result<()> {
    let mounts = fs::read_to_string("/proc/self/mounts").context("reading the mount table")?;
    let hidden = mounts
        .lines()
        .filter_map(|line| {
            let mut words = line.split(' ').skip(1);
            let (target, kind) = (words.next()?, words.next()?);
            (kind == "cgroup2").then(|| c_path(Path::new(target)))
        })
        .collect::<Result<Vec<_>>>()?;
    if hidden.is_empty() {
        return Err(skip("no cgroup v2 is mounted that could be hidden"));
    }
    let change = |command: &mut Command| {
        let before = move || {
            private_mounts()?;
            for target in &hidden {
                umount2(target.as_c_str(), MntFlags::MNT_DETACH)?;
            }
            Ok(())
        };
        // SAFETY: only system calls are made between fork and exec.
        unsafe { command.pre_exec(before) };
    };
    refuses(fixture, change, &["cgroup v2"])
}

/// What is mounted from now on is seen by this process only.
fn private_mounts() -> io::Result<()> {
    unshare(CloneFlags::CLONE_NEWNS)?;
    let none = None::<&std::ffi::CStr>;
    mount(none, c"/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)?;
    Ok(())
}

fn c_path(path: &Path) -> Result<CString> {
    use std::os::unix::ffi::OsStrExt;
    CString::new(path.as_os_str().as_bytes()).context("a path with a NUL")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_complaint_is_one_line_with_the_words_and_a_failure() {
        let good = "INFO agent: starting\nERROR agent: /x: not readable; give another file\n";
        assert!(complaint(Some(1), good, &["/x"]).is_ok());
        assert!(complaint(Some(0), good, &["/x"]).is_err());
        assert!(complaint(None, good, &["/x"]).is_err());
        assert!(complaint(Some(1), good, &["/y"]).is_err());
        assert!(complaint(Some(1), "one\ntwo\n", &[]).is_err());
        assert!(complaint(Some(101), "thread 'main' panicked at x", &[]).is_err());
        assert!(complaint(Some(1), "", &[]).is_err());
    }
}
