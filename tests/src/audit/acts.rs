//! A process that does one of everything that is worth an audit record.

use std::{
    fs,
    io::{self, Write},
    net::{TcpListener, TcpStream, UdpSocket},
    os::{
        fd::{FromRawFd, OwnedFd},
        linux::net::SocketAddrExt,
        unix::{
            fs::{PermissionsExt, chown, symlink},
            net::{SocketAddr, UnixListener, UnixStream},
            process::CommandExt,
        },
    },
    path::Path,
    process::{Command, ExitCode, Stdio},
};

use nix::{
    mount::{MsFlags, mount, umount},
    sys::signal::kill,
    unistd::{Pid, gethostname, getpid, pipe, sethostname},
};

/// A user that is not root.
const NOBODY: u32 = 65_534;

/// The actions that documents about this must have, on every kernel.
pub const ACTIONS: [&str; 18] = [
    "accepted-connection-from",
    "bound-socket",
    "changed-file-attributes-of",
    "changed-file-ownership-of",
    "changed-file-permissions-of",
    "changed-identity-of",
    "changed-login-id-to",
    "connected-to",
    "created-directory",
    "crashed-program",
    "deleted",
    "executed",
    "killed-pid",
    "listen-for-connections",
    "mounted",
    "renamed",
    "symlinked",
    "violated-seccomp-policy",
];

/// Something that is done, in a folder.
type Act = fn(&Path) -> io::Result<()>;

/// Makes an empty folder to work in.
///
/// # Errors
/// It cannot be made.
pub fn prepare(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    fs::create_dir_all(folder)
}

/// The whole process. What a kernel does not have fails, and that too is worth a record.
pub fn main(folder: &Path) -> ExitCode {
    let acts: [(&str, Act); 5] = [
        ("files", files),
        ("programs", programs),
        ("sockets", sockets),
        ("identity", identity),
        ("kernel", kernel),
    ];
    let mut code = ExitCode::SUCCESS;
    for (name, act) in acts {
        if let Err(error) = act(folder) {
            eprintln!("{name}: {error}");
            code = ExitCode::FAILURE;
        }
    }
    newer_calls(folder);
    code
}

fn files(folder: &Path) -> io::Result<()> {
    let (file, other) = (folder.join("two words"), folder.join("é"));
    fs::write(&file, "text")?;
    fs::File::options().append(true).open(&file)?.set_len(1)?;
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640))?;
    chown(&file, Some(NOBODY), Some(NOBODY))?;
    fs::rename(&file, &other)?;
    fs::hard_link(&other, folder.join("hard"))?;
    symlink(&other, folder.join("soft"))?;
    set_attribute(&other);
    fs::create_dir(folder.join("inner"))?;
    fs::remove_dir(folder.join("inner"))?;
    fs::remove_file(folder.join("hard"))?;
    // A name that is not there.
    let missing = fs::rename(folder.join("missing"), folder.join("nowhere"));
    if missing.is_ok() { Err(io::ErrorKind::AlreadyExists.into()) } else { Ok(()) }
}

/// Refused by file systems without attributes, and told either way.
fn set_attribute(path: &Path) {
    use std::os::unix::ffi::OsStrExt as _;
    let Ok(path) = std::ffi::CString::new(path.as_os_str().as_bytes()) else { return };
    let (name, value) = (c"trusted.act", b"value");
    // SAFETY: both names end with a zero, and the value has the length that is given.
    unsafe {
        libc::setxattr(path.as_ptr(), name.as_ptr(), value.as_ptr().cast(), value.len(), 0);
    }
}

/// This program again, doing nothing.
fn myself(arguments: &[&str]) -> io::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("audit-act").args(arguments).stdin(Stdio::null());
    Ok(command)
}

fn programs(_: &Path) -> io::Result<()> {
    let long = "long ".repeat(2_000);
    for arguments in [
        &["--nothing", "two words", "a\ttab", "é", "\"quoted\"", ""][..],
        &["--nothing", &long],
        &["--nothing", "last"],
    ] {
        myself(arguments)?.status()?;
    }
    match Command::new("/nowhere/program").status() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other.map(drop),
    }
}

fn sockets(folder: &Path) -> io::Result<()> {
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let listener = TcpListener::bind(address)?;
        let _stream = TcpStream::connect(listener.local_addr()?)?;
        listener.accept()?;
    }
    let free = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    if TcpStream::connect(free).is_ok() {
        return Err(io::Error::other("somebody listens on a port that was free"));
    }
    let datagrams = UdpSocket::bind("127.0.0.1:0")?;
    datagrams.send_to(b"x", datagrams.local_addr()?)?;
    let path = folder.join("socket");
    let _named = UnixListener::bind(&path)?;
    UnixStream::connect(&path)?;
    let name = SocketAddr::from_abstract_name(b"audit acts")?;
    let _abstract = UnixListener::bind_addr(&name)?;
    UnixStream::connect_addr(&name)?;
    Ok(())
}

fn identity(_: &Path) -> io::Result<()> {
    myself(&["--nothing"])?.uid(NOBODY).status()?;
    let mut login = myself(&["--nothing"])?;
    // SAFETY: only system calls are made between fork and exec.
    unsafe {
        login.pre_exec(|| {
            let mut file = fs::File::options().write(true).open("/proc/self/loginuid")?;
            file.write_all(b"1000")
        });
    }
    login.status()?;
    Ok(())
}

fn kernel(folder: &Path) -> io::Result<()> {
    mount(Some("tmpfs"), folder, Some("tmpfs"), MsFlags::MS_NOSUID, None::<&str>)?;
    umount(folder)?;
    sethostname(gethostname()?)?;
    kill(getpid(), None)?;
    // A group of processes that is not there.
    if kill(Pid::from_raw(i32::MIN + 1), None).is_ok() {
        return Err(io::Error::other("there is such a process group"));
    }
    drop(pipe()?);
    let mut crash = myself(&["--nothing"])?;
    // SAFETY: ends the process, as a fault of its own would.
    unsafe {
        crash.pre_exec(|| libc::abort());
    }
    wait(&mut crash)?;
    let mut strict = myself(&["--nothing"])?;
    // SAFETY: one system call; the next one is forbidden then.
    unsafe {
        strict.pre_exec(|| {
            libc::prctl(libc::PR_SET_SECCOMP, 1, 0, 0, 0);
            Ok(())
        });
    }
    wait(&mut strict)
}

/// Of a process that dies before it begins.
fn wait(command: &mut Command) -> io::Result<()> {
    let status = command.spawn()?.wait()?;
    if status.success() { Err(io::Error::other("it should have died")) } else { Ok(()) }
}

/// Calls that old kernels do not know; what they come to does not matter.
fn newer_calls(folder: &Path) {
    use std::os::unix::ffi::OsStrExt as _;
    let Ok(path) = std::ffi::CString::new(folder.as_os_str().as_bytes()) else { return };
    let how = [libc::O_RDONLY as u64, 0, 0];
    let pid = std::process::id();
    // SAFETY: the pointers are to memory of the length that is given, or there is none.
    let descriptors = unsafe {
        [
            libc::syscall(libc::SYS_openat2, libc::AT_FDCWD, path.as_ptr(), how.as_ptr(), 24),
            libc::syscall(libc::SYS_memfd_create, c"act".as_ptr(), 1),
            libc::syscall(libc::SYS_pidfd_open, pid, 0),
            libc::syscall(libc::SYS_landlock_create_ruleset, 0, 0, 1),
            libc::syscall(libc::SYS_io_uring_setup, 0, 0),
            libc::syscall(libc::SYS_bpf, 0, 0, 0),
        ]
    };
    // The fourth tells a version.
    for (number, descriptor) in descriptors.into_iter().enumerate() {
        if number != 3 && descriptor > 2 {
            // SAFETY: just opened, and owned by nobody else.
            drop(unsafe { OwnedFd::from_raw_fd(descriptor as i32) });
        }
    }
}
