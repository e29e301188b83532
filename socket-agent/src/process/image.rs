//! What a process executes: name, arguments, executable.

use super::exec::{ExecParts, until_nul};
use linux::procfs::Snapshot;

/// A program with its arguments. Children share it until they replace it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Image {
    /// Base name of the first argument; without one, that of the executable; else the kernel's
    /// `comm`, which is cut to 15 bytes. Kernel threads have only that.
    pub name: Box<str>,
    /// Arguments, from the program's name on. Bytes that are not UTF-8 are replaced.
    pub args: Vec<String>,
    /// Arguments are missing, or the last one is cut: there were more than could be carried.
    pub args_truncated: bool,
    /// Absolute path of the executable (of a script's interpreter) in the mount namespace of the
    /// process, or the path given to exec where that is too deep and the process was gone before its
    /// link could be read.
    pub executable: Option<Box<str>>,
    /// Working directory at the time of the exec or of the agent's start.
    pub working_directory: Option<Box<str>>,
}

impl Image {
    /// From `/proc` alone.
    pub(super) fn from_proc(snapshot: &Snapshot) -> Self {
        let mut args = split(&snapshot.cmdline);
        // Programs that write a title over their arguments leave the rest of the area zero.
        while args.last().is_some_and(String::is_empty) {
            args.pop();
        }
        Self {
            name: name(&args, snapshot.executable.as_deref(), &snapshot.comm),
            args,
            args_truncated: snapshot.cmdline_truncated,
            executable: snapshot.executable.clone(),
            working_directory: snapshot.working_directory.clone(),
        }
    }

    /// From an exec record, completed from `/proc` if it lacks something and the process could still
    /// be read there.
    pub(super) fn from_exec(parts: &ExecParts<'_>, snapshot: Option<&Snapshot>) -> Self {
        let filename = text(parts.filename);
        let mut args_truncated = parts.args_cut;
        let mut args = split(parts.args);
        // A process may exec again before its record is read; what /proc shows is then the
        // executable and the arguments of another program. The kernel names a process after the
        // file it executes. Where the record lacks even that, the arguments have to do.
        let same = snapshot.filter(|s| match filename.as_str() {
            "" => !parts.args.is_empty() && s.cmdline.starts_with(parts.args),
            filename => *s.comm == *comm_of(filename),
        });
        if args_truncated
            && let Some(snapshot) = same
            && snapshot.cmdline.starts_with(parts.args)
        {
            args = split(&snapshot.cmdline);
            args_truncated = snapshot.cmdline_truncated;
        }

        let working_directory = parts
            .directory
            .as_deref()
            .map(Box::from)
            .or_else(|| snapshot.and_then(|s| s.working_directory.clone()));
        let executable = parts
            .executable
            .as_deref()
            .map(Box::from)
            .or_else(|| same.and_then(|s| s.executable.clone()))
            .or_else(|| absolute(&filename, working_directory.as_deref()));
        let name = name(&args, executable.as_deref(), comm_of(&filename));
        Self { name, args, args_truncated, executable, working_directory }
    }

    /// When nothing but the kernel's short name is known.
    pub(super) fn from_comm(comm: &[u8; 16]) -> Self {
        Self { name: text(until_nul(comm)).into(), ..Self::default() }
    }
}

/// The arguments of a block in which each is NUL-terminated, the last one possibly not.
fn split(block: &[u8]) -> Vec<String> {
    if block.is_empty() {
        return Vec::new();
    }
    let block = block.strip_suffix(&[0]).unwrap_or(block);
    block.split(|byte| *byte == 0).map(text).collect()
}

fn name(args: &[String], executable: Option<&str>, comm: &str) -> Box<str> {
    // A first argument with blanks is a title (`nginx: worker process`), not a path.
    let first = args.first().filter(|arg| !arg.contains(' ')).map(|arg| basename(arg));
    first
        .filter(|name| !name.is_empty())
        .or_else(|| executable.map(basename).filter(|name| !name.is_empty()))
        .unwrap_or(comm)
        .into()
}

fn basename(path: &str) -> &str {
    path.trim_end_matches('/').rsplit('/').next().unwrap_or(path)
}

/// What the kernel makes `comm` of a file: the first 15 bytes of its base name.
fn comm_of(filename: &str) -> &str {
    let name = filename.rsplit('/').next().unwrap_or(filename);
    let cut = (0..=name.len().min(15)).rev().find(|end| name.is_char_boundary(*end));
    &name[..cut.unwrap_or(0)]
}

fn absolute(filename: &str, working_directory: Option<&str>) -> Option<Box<str>> {
    if filename.is_empty() {
        return None;
    }
    match working_directory {
        Some(directory) if !filename.starts_with('/') => {
            let relative = filename.strip_prefix("./").unwrap_or(filename);
            Some(format!("{}/{relative}", directory.trim_end_matches('/')).into())
        }
        _ => Some(filename.into()),
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::testing::{Paths, exec, exec_with, snapshot};
    use socket_common::ExecEvent;

    fn made(event: &ExecEvent, snapshot: Option<&Snapshot>) -> Image {
        Image::from_exec(&ExecParts::of(event), snapshot)
    }

    #[test]
    fn exec_record_alone() {
        let image = made(&exec(7, 1, "/usr/bin/curl", b"curl\0-o\0\0x y\0"), None);
        assert_eq!(&*image.name, "curl");
        assert_eq!(image.args, ["curl", "-o", "", "x y"]);
        assert_eq!(image.executable.as_deref(), Some("/usr/bin/curl"));
        assert_eq!(image.working_directory, None);
        assert!(!image.args_truncated);
    }

    #[test]
    fn proc_gives_links_while_it_shows_the_same_program() {
        let event = exec(7, 1, "./curl", b"./curl\0");
        let mut shown = snapshot("curl", b"./curl\0");
        shown.executable = Some("/opt/real/curl-8".into());
        shown.working_directory = Some("/opt/bin".into());
        let image = made(&event, Some(&shown));
        assert_eq!(image.executable.as_deref(), Some("/opt/real/curl-8"));
        assert_eq!(image.working_directory.as_deref(), Some("/opt/bin"));

        // A record without the file's name: the arguments tell whether it is the same program.
        let image = made(&exec(7, 1, "", b"./curl\0"), Some(&shown));
        assert_eq!(image.executable.as_deref(), Some("/opt/real/curl-8"));
        let image = made(&exec(7, 1, "", b"./wget\0"), Some(&shown));
        assert_eq!(image.executable, None);

        // Already another program: its link is not ours, the working directory still is.
        shown.comm = "sleep".into();
        let image = made(&event, Some(&shown));
        assert_eq!(image.executable.as_deref(), Some("/opt/bin/curl"));
        assert_eq!(image.working_directory.as_deref(), Some("/opt/bin"));

        let image = made(&event, None);
        assert_eq!(image.executable.as_deref(), Some("./curl"));
    }

    #[test]
    fn the_kernel_knows_the_executable_best() {
        let paths =
            Paths { executable: "/usr/bin/python3.11", directory: "/srv", ..Paths::default() };
        let event = exec_with(7, 1, "./script", paths, b"python3\0./script\0");
        let mut shown = snapshot("script", b"something else\0");
        shown.executable = Some("/bin/other".into());
        for shown in [None, Some(&shown)] {
            let image = made(&event, shown);
            assert_eq!(image.executable.as_deref(), Some("/usr/bin/python3.11"));
            assert_eq!(image.working_directory.as_deref(), Some("/srv"));
            assert_eq!(image.args, ["python3", "./script"]);
        }
    }

    #[test]
    fn cut_arguments_are_completed_from_proc() {
        let mut event = exec(7, 1, "/usr/bin/java", b"java\0-cp\0/opt/lo");
        event.args_total = 26;
        let image = made(&event, None);
        assert_eq!(image.args, ["java", "-cp", "/opt/lo"]);
        assert!(image.args_truncated);

        let shown = snapshot("java", b"java\0-cp\0/opt/long/lib\0Main\0");
        let image = made(&event, Some(&shown));
        assert_eq!(image.args, ["java", "-cp", "/opt/long/lib", "Main"]);
        assert!(!image.args_truncated);

        let retitled = snapshot("java", b"something else\0");
        let image = made(&event, Some(&retitled));
        assert_eq!(image.args, ["java", "-cp", "/opt/lo"]);
        assert!(image.args_truncated);
    }

    #[test]
    fn names() {
        for (first, executable, comm, expected) in [
            ("/usr/sbin/sshd", Some("/usr/sbin/sshd"), "sshd", "sshd"),
            ("-bash", Some("/usr/bin/bash"), "bash", "-bash"),
            ("python3", Some("/usr/bin/python3.11"), "python3", "python3"),
            ("nginx: worker process", Some("/usr/sbin/nginx"), "nginx", "nginx"),
            ("", Some("/usr/bin/odd"), "odd", "odd"),
            ("/", Some("/usr/bin/odd"), "odd", "odd"),
            ("/opt/My App/app", Some("/opt/My App/app"), "app", "app"),
            ("a title", None, "comm", "comm"),
        ] {
            let args = [first.to_owned()];
            assert_eq!(&*name(&args, executable, comm), expected, "{first:?}");
        }
        assert_eq!(&*name(&[], None, "kworker/0:1"), "kworker/0:1");
        assert_eq!(&*Image::from_comm(b"kthreadd\0\0\0\0\0\0\0\0").name, "kthreadd");
    }

    #[test]
    fn odd_input() {
        assert_eq!(split(b""), Vec::<String>::new());
        assert_eq!(split(b"\0"), [""]);
        assert_eq!(split(b"a\xff\0"), ["a\u{fffd}"]);
        assert_eq!(comm_of("/bin/fifteen-byte-name-and-more"), "fifteen-byte-na");
        assert_eq!(comm_of("/bin/fourteen-bytesé"), "fourteen-bytes");
        // A title that was written over longer arguments.
        let image = Image::from_proc(&snapshot("worker", b"worker\0\0\0\0"));
        assert_eq!(image.args, ["worker"]);
    }
}
