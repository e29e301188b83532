//! The name service of the C library, asked through `getent` by a thread of its own.
//!
//! Names that are asked for come from records, where whoever tries to log in may have any name put:
//! they wait and are kept apart from numbers, and only what can be a name is asked for.

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

use super::{Database, Id, NameCounters};
use crate::threads;

/// Answers that are kept.
const ANSWERS_MAX: NonZeroUsize = NonZeroUsize::new(4_096).unwrap();
/// Time for which a name is valid.
const KNOWN: Duration = Duration::from_secs(300);
/// How long it is believed that there is no name.
const UNKNOWN: Duration = Duration::from_secs(60);
/// Answers about names that are kept.
const NAMES_MAX: NonZeroUsize = NonZeroUsize::new(512).unwrap();
/// Questions that may wait.
const QUESTIONS_MAX: usize = 64;
/// Limit of those questions that are about names.
const NAME_QUESTIONS_MAX: usize = 16;
/// The longest name that is asked for, bytes: LOGIN_NAME_MAX.
const NAME_LENGTH_MAX: usize = 256;
/// How long a service may think about one.
const PATIENCE: Duration = Duration::from_secs(5);
/// The longest answer that is read: bytes.
const ANSWER_MAX: u64 = 64 << 10;
/// Paths at which the program is looked for.
const PLACES: [&str; 3] = ["usr/bin/getent", "bin/getent", "usr/sbin/getent"];

/// Asks, and keeps what was answered.
#[derive(Debug)]
pub(super) struct Services {
    answers: LruCache<Question, Answer>,
    about_names: LruCache<Question, Answer>,
    /// Questions without an answer yet.
    waiting: usize,
    /// Number of those questions that are about names.
    names_waiting: usize,
    worker: Option<Worker>,
    counters: NameCounters,
}

/// A question for the name service.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Question {
    Number(Id),
    Name(Database, Arc<str>),
}

#[derive(Debug)]
struct Answer {
    entry: Option<DatabaseEntry>,
    /// `None` while the question waits.
    until: Option<Instant>,
}

/// A user or a group, as the service knows it.
#[derive(Clone, Debug)]
struct DatabaseEntry {
    name: Arc<str>,
    number: u32,
}

/// The thread that asks; it ends when its questions do.
#[derive(Debug)]
struct Worker {
    questions: SyncSender<Question>,
    answers: Receiver<(Question, Option<DatabaseEntry>)>,
}

impl Services {
    /// Of the system with that root. Asks nobody where nothing but files is configured.
    pub(super) fn new(root: &Path) -> Self {
        let program = PLACES.iter().map(|place| root.join(place)).find(|path| path.is_file());
        let config = fs::read_to_string(root.join("etc/nsswitch.conf")).unwrap_or_default();
        let worker = program.filter(|_| asks_more_than_files(&config)).and_then(Worker::start);
        Self {
            answers: LruCache::new(ANSWERS_MAX),
            about_names: LruCache::new(NAMES_MAX),
            waiting: 0,
            names_waiting: 0,
            worker,
            counters: NameCounters::default(),
        }
    }

    /// Counters so far.
    pub(super) fn counters(&self) -> NameCounters {
        self.counters
    }

    /// The name, as soon as it is known; until then, and for numbers without one, `None`.
    pub(super) fn name(&mut self, id: Id, now: Instant) -> Option<Arc<str>> {
        self.entry(Question::Number(id), now).map(|entry| entry.name)
    }

    /// The number of a name, as soon as it is known.
    pub(super) fn number(&mut self, database: Database, name: &str, now: Instant) -> Option<u32> {
        let question = can_be_asked_for(name).then(|| Question::Name(database, name.into()))?;
        self.entry(question, now).map(|entry| entry.number)
    }

    /// Waits until every question has its answer, or until a time.
    pub(super) fn settle(&mut self, deadline: Instant) {
        while self.waiting > 0
            && let Some(worker) = &self.worker
        {
            let now = Instant::now();
            match worker.answers.recv_timeout(deadline.saturating_duration_since(now)) {
                Ok((question, entry)) => self.note(question, entry, now),
                Err(_) => return,
            }
        }
    }

    /// Notes the answers that have come.
    fn take_answers(&mut self, now: Instant) {
        while let Some(Ok((question, entry))) =
            self.worker.as_ref().map(|worker| worker.answers.try_recv())
        {
            self.note(question, entry, now);
        }
    }

    fn note(&mut self, question: Question, entry: Option<DatabaseEntry>, now: Instant) {
        self.waiting = self.waiting.saturating_sub(1);
        self.counters.found += u64::from(entry.is_some());
        let until = Some(now + if entry.is_some() { KNOWN } else { UNKNOWN });
        let answers = match question {
            Question::Number(_) => &mut self.answers,
            Question::Name(..) => {
                self.names_waiting = self.names_waiting.saturating_sub(1);
                &mut self.about_names
            }
        };
        answers.put(question, Answer { entry, until });
    }

    fn entry(&mut self, question: Question, now: Instant) -> Option<DatabaseEntry> {
        self.take_answers(now);
        let worker = self.worker.as_ref()?;
        let is_name = matches!(question, Question::Name(..));
        let answers = if is_name { &mut self.about_names } else { &mut self.answers };
        let old = match answers.get(&question) {
            Some(Answer { entry, until }) if until.is_none_or(|until| now < until) => {
                return entry.clone();
            }
            Some(answer) => answer.entry.clone(),
            None => None,
        };
        if is_name && self.names_waiting >= NAME_QUESTIONS_MAX {
            self.counters.dropped += 1;
            return old;
        }
        match worker.questions.try_send(question.clone()) {
            Ok(()) => {
                self.counters.asked += 1;
                self.waiting += 1;
                self.names_waiting += usize::from(is_name);
                // What was known is believed until the new answer comes.
                answers.put(question, Answer { entry: old.clone(), until: None });
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
            for question in to_ask {
                let entry = ask(&program, &question);
                if answer.send((question, entry)).is_err() {
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

/// Whether `getent` would take a text for a name: not for an option, nor for a number. Some names
/// that are in records are no users: `(unknown)`.
fn can_be_asked_for(name: &str) -> bool {
    let is_strange = |byte: u8| byte.is_ascii_control() || byte == b':';
    !name.is_empty()
        && name.len() <= NAME_LENGTH_MAX
        && !name.starts_with(['-', '+', '('])
        && !name.bytes().all(|byte| byte.is_ascii_digit())
        && !name.bytes().any(is_strange)
}

/// Runs `getent passwd 1000`.
fn ask(program: &Path, question: &Question) -> Option<DatabaseEntry> {
    let (database, key) = match question {
        Question::Number(Id::User(uid)) => (Database::Users, uid.to_string()),
        Question::Number(Id::Group(gid)) => (Database::Groups, gid.to_string()),
        Question::Name(database, name) => (*database, name.to_string()),
    };
    let database = match database {
        Database::Users => "passwd",
        Database::Groups => "group",
    };
    let mut child = Command::new(program)
        .args([database, &key])
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
    let mut fields = text.lines().next().filter(|_| good)?.split(':');
    let name = fields.next().filter(|name| !name.is_empty())?;
    Some(DatabaseEntry { name: name.into(), number: fields.nth(1)?.parse().ok()? })
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
pub(super) mod tests {
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
    pub(in crate::accounts) fn root() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for folder in ["etc", "bin"] {
            fs::create_dir(root.path().join(folder)).unwrap();
        }
        fs::write(root.path().join("etc/nsswitch.conf"), "passwd: files sss\n").unwrap();
        let program = root.path().join("bin/getent");
        let log = root.path().join("log");
        let script = format!(
            "#!/bin/sh\necho \"$1 $2\" >> {}\ncase \"$1 $2\" in\n\"passwd 7000\") echo \
             eve:x:7000:7000::/:/bin/sh;;\n\"group staff\") echo staff:x:7001:eve;;\n*) exit \
             2;;\nesac\n",
            log.display()
        );
        fs::write(&program, script).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        root
    }

    /// Asks until the answer is there.
    fn eventually(services: &mut Services, id: Id, now: Instant) -> Option<Arc<str>> {
        wait_for(services, &Question::Number(id), now).map(|entry| entry.name)
    }

    fn wait_for(
        services: &mut Services,
        question: &Question,
        now: Instant,
    ) -> Option<DatabaseEntry> {
        let deadline = Instant::now() + Duration::from_secs(20);
        services.entry(question.clone(), now);
        let waits = |services: &Services| {
            let both = [&services.answers, &services.about_names];
            let answer = both.into_iter().find_map(|answers| answers.peek(question));
            answer.is_none_or(|answer| answer.until.is_none())
        };
        while waits(services) {
            assert!(Instant::now() < deadline, "no answer");
            thread::yield_now();
            services.entry(question.clone(), now);
        }
        services.entry(question.clone(), now)
    }

    #[test]
    fn numbers_of_names_are_asked_for() {
        let root = root();
        let mut services = Services::new(root.path());
        let now = Instant::now();
        assert_eq!(services.number(Database::Groups, "staff", now), None, "never waits");
        let question = Question::Name(Database::Groups, "staff".into());
        assert_eq!(wait_for(&mut services, &question, now).unwrap().number, 7001);
        assert_eq!(services.number(Database::Groups, "staff", now), Some(7001));
        let nobody = Question::Name(Database::Users, "staff".into());
        assert!(wait_for(&mut services, &nobody, now).is_none(), "a group is no user");
        assert_eq!(services.counters(), NameCounters { asked: 2, found: 1, dropped: 0 });
    }

    #[test]
    fn only_what_can_be_a_name_is_asked_for() {
        for name in ["ann", "EXAMPLE\\ann lee", "ann@example.com", "7up", "é"] {
            assert!(can_be_asked_for(name), "{name}");
        }
        let long = "a".repeat(257);
        for text in ["", "-s", "--help", "0", "1000", "(unknown)", "a:b", "a\nb", "+", &long] {
            assert!(!can_be_asked_for(text), "{text}");
        }
    }

    #[test]
    fn names_of_strangers_leave_room_for_numbers() {
        let root = root();
        let mut services = Services::new(root.path());
        // A service that does not answer.
        let (questions, _asked) = sync_channel(QUESTIONS_MAX);
        let (_answer, answers) = channel();
        services.worker = Some(Worker { questions, answers });
        let now = Instant::now();
        for stranger in 0..1_000 {
            let name = format!("stranger{stranger}");
            assert_eq!(services.number(Database::Users, &name, now), None);
        }
        let limit = NAME_QUESTIONS_MAX as u64;
        let expected = NameCounters { asked: limit, found: 0, dropped: 1_000 - limit };
        assert_eq!(services.counters(), expected);
        services.name(Id::User(7000), now);
        assert_eq!(services.counters().asked, limit + 1);
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
