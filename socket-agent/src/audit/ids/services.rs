//! The name service of the C library, asked through `getent` by a thread of its own.

use std::{
    fs,
    io::Read,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        mpsc::{Receiver, SyncSender, TrySendError, channel, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

use lru::LruCache;

use super::{super::normalise::NameCounters, Id};
use crate::threads;

/// Answers that are kept.
const ANSWERS_MAX: NonZeroUsize = NonZeroUsize::new(4_096).unwrap();
/// How long a name is believed.
const KNOWN: Duration = Duration::from_secs(300);
/// How long it is believed that there is no name.
const UNKNOWN: Duration = Duration::from_secs(60);
/// Questions that may wait.
const QUESTIONS_MAX: usize = 64;
/// How long a service may think about one.
const PATIENCE: Duration = Duration::from_secs(5);
/// The longest answer that is read: bytes.
const ANSWER_MAX: u64 = 64 << 10;
/// Where the program is looked for.
const PLACES: [&str; 3] = ["usr/bin/getent", "bin/getent", "usr/sbin/getent"];

/// Asks, and keeps what was answered.
#[derive(Debug)]
pub struct Services {
    answers: LruCache<Id, Answer>,
    worker: Option<Worker>,
    counters: NameCounters,
}

#[derive(Debug)]
struct Answer {
    name: Option<Arc<str>>,
    /// `None` while the question waits.
    until: Option<Instant>,
}

/// The thread that asks; it ends when its questions do.
#[derive(Debug)]
struct Worker {
    questions: SyncSender<Id>,
    answers: Receiver<(Id, Option<Arc<str>>)>,
}

impl Services {
    /// Of the system with that root. Asks nobody where nothing but files is configured.
    pub fn new(root: &Path) -> Self {
        let program = PLACES.iter().map(|place| root.join(place)).find(|path| path.is_file());
        let config = fs::read_to_string(root.join("etc/nsswitch.conf")).unwrap_or_default();
        let worker = program.filter(|_| asks_more_than_files(&config)).and_then(Worker::start);
        Self { answers: LruCache::new(ANSWERS_MAX), worker, counters: NameCounters::default() }
    }

    /// What was asked so far.
    pub fn counters(&self) -> NameCounters {
        self.counters
    }

    /// The name, as soon as it is known; until then, and for numbers without one, `None`.
    pub(super) fn name(&mut self, id: Id, now: Instant) -> Option<Arc<str>> {
        let worker = self.worker.as_ref()?;
        for (id, name) in worker.answers.try_iter() {
            self.counters.found += u64::from(name.is_some());
            let until = now + if name.is_some() { KNOWN } else { UNKNOWN };
            self.answers.put(id, Answer { name, until: Some(until) });
        }
        let old = match self.answers.get(&id) {
            Some(Answer { name, until }) if until.is_none_or(|until| now < until) => {
                return name.clone();
            }
            Some(answer) => answer.name.clone(),
            None => None,
        };
        match worker.questions.try_send(id) {
            Ok(()) => {
                self.counters.asked += 1;
                // What was known is believed until the new answer comes.
                self.answers.put(id, Answer { name: old.clone(), until: None });
            }
            Err(TrySendError::Full(_)) => self.counters.dropped += 1,
            Err(TrySendError::Disconnected(_)) => self.worker = None,
        }
        old
    }
}

impl Worker {
    fn start(program: PathBuf) -> Option<Self> {
        let (questions, to_ask) = sync_channel(QUESTIONS_MAX);
        let (answer, answers) = channel();
        let work = move || {
            for id in to_ask {
                if answer.send((id, ask(&program, id))).is_err() {
                    break;
                }
            }
        };
        threads::spawn("names", work).ok()?;
        Some(Self { questions, answers })
    }
}

/// Whether users or groups come from anywhere else than files.
///
/// Without the file, or the line, the C library looks into files alone.
fn asks_more_than_files(config: &str) -> bool {
    config
        .lines()
        .filter_map(|line| line.split('#').next()?.split_once(':'))
        .filter(|(database, _)| matches!(database.trim(), "passwd" | "group"))
        .flat_map(|(_, services)| services.split_whitespace())
        .any(|service| !service.starts_with('[') && !matches!(service, "files" | "compat"))
}

/// Runs `getent passwd 1000`.
fn ask(program: &Path, id: Id) -> Option<Arc<str>> {
    let (database, number) = match id {
        Id::User(uid) => ("passwd", uid),
        Id::Group(gid) => ("group", gid),
    };
    let mut child = Command::new(program)
        .args([database, &number.to_string()])
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let good = wait(&mut child);
    let mut text = String::new();
    // It has ended: what it wrote fits into the pipe.
    child.stdout.take()?.take(ANSWER_MAX).read_to_string(&mut text).ok()?;
    let name = text.split(':').next().filter(|name| good && !name.is_empty())?;
    Some(name.into())
}

/// Whether it ends well, in time. One that does not is ended.
fn wait(child: &mut Child) -> bool {
    let deadline = Instant::now() + PATIENCE;
    let mut pause = Duration::from_millis(1);
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return status.success(),
            Ok(None) if Instant::now() < deadline => {
                thread::sleep(pause);
                pause = (pause * 2).min(Duration::from_millis(50));
            }
            _ => {
                // Fails only if it has just ended by itself.
                let _ = child.kill();
                let _ = child.wait();
                return false;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn only_more_than_files_is_worth_a_question() {
        for (config, expected) in [
            ("", false),
            ("passwd: files\ngroup: compat\n", false),
            ("passwd: files [NOTFOUND=return]\n", false),
            ("passwd: files systemd\n", true),
            ("hosts: files dns\ngroup:\tfiles sss # directory\n", true),
            ("passwd: files # sss\n", false),
        ] {
            assert_eq!(asks_more_than_files(config), expected, "{config}");
        }
    }

    /// A root with a name service that knows uid 7000 and counts its questions.
    fn root() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for folder in ["etc", "bin"] {
            fs::create_dir(root.path().join(folder)).unwrap();
        }
        fs::write(root.path().join("etc/nsswitch.conf"), "passwd: files sss\n").unwrap();
        let program = root.path().join("bin/getent");
        let log = root.path().join("log");
        let script = format!(
            "#!/bin/sh\necho \"$1 $2\" >> {}\ncase \"$1 $2\" in\n\"passwd 7000\") echo \
             eve:x:7000:7000::/:/bin/sh;;\n*) exit 2;;\nesac\n",
            log.display()
        );
        fs::write(&program, script).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        root
    }

    /// Asks until the answer is there.
    fn eventually(services: &mut Services, id: Id, now: Instant) -> Option<Arc<str>> {
        let deadline = Instant::now() + Duration::from_secs(20);
        services.name(id, now);
        while services.answers.peek(&id).is_none_or(|answer| answer.until.is_none()) {
            assert!(Instant::now() < deadline, "no answer");
            thread::yield_now();
            services.name(id, now);
        }
        services.name(id, now)
    }

    #[test]
    fn a_service_is_asked_once_and_again_when_its_answer_is_old() {
        let root = root();
        let mut services = Services::new(root.path());
        let now = Instant::now();
        assert_eq!(services.name(Id::User(7000), now), None, "never waits");
        assert_eq!(eventually(&mut services, Id::User(7000), now).as_deref(), Some("eve"));
        assert_eq!(eventually(&mut services, Id::Group(7000), now), None);
        let asked = || fs::read_to_string(root.path().join("log")).unwrap();
        assert_eq!(asked(), "passwd 7000\ngroup 7000\n");

        let later = now + KNOWN;
        assert_eq!(services.name(Id::User(7000), later).as_deref(), Some("eve"), "meanwhile");
        assert_eq!(eventually(&mut services, Id::User(7000), later).as_deref(), Some("eve"));
        assert_eq!(asked(), "passwd 7000\ngroup 7000\npasswd 7000\n");
        assert_eq!(services.counters(), NameCounters { asked: 3, found: 2, dropped: 0 });
    }

    #[test]
    fn nobody_is_asked_where_only_files_are_configured() {
        let root = root();
        fs::write(root.path().join("etc/nsswitch.conf"), "passwd: files\n").unwrap();
        let mut services = Services::new(root.path());
        assert_eq!(services.name(Id::User(7000), Instant::now()), None);
        assert_eq!(services.counters(), NameCounters::default());
    }
}
