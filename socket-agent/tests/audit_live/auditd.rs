//! auditd with a log of its own.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use socket_agent::audit::netlink::Setting;
use tempfile::TempDir;

use crate::host::{Host, needs};

const LIMIT: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(20);

/// A running daemon; ended when dropped.
pub(crate) struct Auditd {
    child: Child,
    folder: TempDir,
}

impl Auditd {
    /// Starts it and waits until it owns the audit socket. `Err`: why there is none.
    pub(crate) fn start(host: &mut Host) -> Result<Self, String> {
        needs("auditd", "install auditd").and(needs("ausearch", "install auditd"))?;
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let log = folder.path().join("audit.log");
        fs::create_dir(folder.path().join("plugins.d")).unwrap();
        let settings = format!(
            "local_events = yes\nwrite_logs = yes\nlog_file = {}\nlog_format = ENRICHED\n\
             flush = NONE\nmax_log_file = 50\nnum_logs = 2\n\
             max_log_file_action = IGNORE\nspace_left = 2\nspace_left_action = IGNORE\n\
             admin_space_left = 1\nadmin_space_left_action = IGNORE\ndisk_full_action = IGNORE\n\
             disk_error_action = IGNORE\nname_format = NONE\n\
             plugin_dir = {}\n",
            log.display(),
            folder.path().join("plugins.d").display()
        );
        let file = folder.path().join("auditd.conf");
        fs::write(&file, settings).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        // It leaves that to its rules; others may be busy on this machine.
        host.control.set(Setting::BacklogLimit(8192)).unwrap();
        let child = Command::new("auditd")
            .args(["-n", "-c"])
            .arg(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("auditd: {error}"))?;
        let mut daemon = Self { child, folder };
        let deadline = Instant::now() + LIMIT;
        while host.settings().pid != daemon.pid() {
            if let Ok(Some(status)) = daemon.child.try_wait() {
                return Err(format!("auditd does not run here: {status}"));
            }
            assert!(Instant::now() < deadline, "auditd does not become the audit daemon");
            thread::sleep(PAUSE);
        }
        Ok(daemon)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("audit.log")
    }

    /// What ausearch finds of a key, as it stands in the log, once the daemon has written all that
    /// happened before.
    pub(crate) fn search(&self, key: &str, host: &mut Host) -> String {
        let mark = format!("mark-{}", std::process::id());
        host.control.write(mark.as_bytes()).unwrap();
        let deadline = Instant::now() + LIMIT;
        while !fs::read_to_string(self.log()).unwrap_or_default().contains(&mark) {
            assert!(Instant::now() < deadline, "auditd does not write");
            thread::sleep(PAUSE);
        }
        let output = Command::new("ausearch")
            .args(["--raw", "-k", key, "-if"])
            .arg(self.log())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

impl Drop for Auditd {
    fn drop(&mut self) {
        let _ = kill(Pid::from_raw(self.child.id().cast_signed()), Signal::SIGTERM);
        let deadline = Instant::now() + LIMIT;
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < deadline {
            thread::sleep(PAUSE);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
