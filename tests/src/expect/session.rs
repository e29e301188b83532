//! An agent and everything it is expected to say.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fmt,
    sync::{Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use anyhow::{Context as _, Result, bail, ensure};

use super::{
    Side,
    compare::{self, Given},
    expected_documents::{ExpectedDocuments, Pair, brief},
    verdict::{Counters, Ended, complain, ended_well, skips_probes},
};
use crate::{
    agent::{Agent, Doc, Options},
    capture::{Capture, Seen},
    net::Netns,
    worker::executable,
};

/// A document comes within this time of the flow's end, on an emulated machine too.
const PATIENCE: Duration = Duration::from_secs(120);

/// An agent and everything it is expected to say.
#[derive(Debug)]
pub struct Session {
    agent: Agent,
    expected_documents: ExpectedDocuments,
    at_end: Mutex<Vec<Expected>>,
    questions: Mutex<Vec<(&'static str, Question)>>,
    given: Given,
    hooks: String,
}

/// What is asked of all documents and counters when the agent has ended.
struct Question(Ask);

type Ask = Box<dyn FnOnce(&[Doc], &Counters) -> Result<()> + Send>;

impl fmt::Debug for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Question")
    }
}

/// A document that comes only because the agent ends.
#[derive(Debug)]
struct Expected {
    scenario: &'static str,
    side: Side,
    seen: Seen,
}

/// When a document was made, wall time: what is sent again later, as on a host that hardly gets on, is
/// in no document. Its unit is the millisecond that this returns the end of.
fn made(doc: &Doc) -> Duration {
    let time = humantime::parse_rfc3339(&doc.text("@timestamp")).ok();
    let since_epoch = time.and_then(|time| time.duration_since(SystemTime::UNIX_EPOCH).ok());
    since_epoch.map_or(Duration::MAX, |time| time + Duration::from_millis(1))
}

impl Session {
    /// Starts an agent in the network namespace of this process.
    pub fn start(options: &Options) -> Result<Self> {
        let since = SystemTime::now();
        let types = options.is_described();
        let given = Given { since, types, samples: options.samples() };
        let agent = Agent::start(options, &Netns::current()?)?;
        let (expected_documents, at_end, questions) = Default::default();
        Ok(Self {
            agent,
            expected_documents,
            at_end,
            questions,
            given,
            hooks: options.hooks.clone(),
        })
    }

    /// Waits for the document of one end of a conversation and compares it with the truth; what the
    /// capture says is read when the document is there.
    pub fn expect(&self, scenario: &str, side: &Side, capture: &Capture) -> Result<Doc> {
        let (transport, local, remote) = side.key();
        self.expected_documents.add(scenario, side);
        let doc = self.find(side, 0)?;
        let limit = made(&doc);
        let seen = capture.seen_until(transport, local, remote, limit)?;
        self.compare(doc, side, &seen)
    }

    /// As [`Session::expect`], for the document after `earlier` ones of the same end.
    pub fn expect_nth(
        &self,
        scenario: &str,
        side: &Side,
        earlier: usize,
        seen: impl FnOnce() -> Result<Seen>,
    ) -> Result<Doc> {
        self.expected_documents.add(scenario, side);
        let doc = self.find(side, earlier)?;
        self.compare(doc, side, &seen()?)
    }

    fn compare(&self, doc: Doc, side: &Side, seen: &Seen) -> Result<Doc> {
        let wrong = compare::differences(&doc, side, seen, self.given);
        ensure!(wrong.is_empty(), "{}: {}", brief(&doc), wrong.join("; "));
        Ok(doc)
    }

    /// A document of this end has to be there, once; what it says is not compared.
    pub fn admit(&self, scenario: &str, side: &Side) {
        self.expected_documents.add(scenario, side);
    }

    /// As [`Session::expect`], for many at once. Where the kernel skips probes, one in a hundred may lack what
    /// they would have seen, if they are counted.
    ///
    /// # Errors
    /// With the number of failures and the first few.
    pub fn expect_all(
        &self,
        scenario: &'static str,
        sides: &[Side],
        capture: &Capture,
    ) -> Result<()> {
        for side in sides {
            self.expected_documents.add(scenario, side);
        }
        let found = self.find_all(sides);
        let (mut wrong, mut lacking) = (Vec::new(), 0);
        for side in sides {
            let (transport, local, remote) = side.key();
            let Some(doc) = found.get(&key(side)) else {
                wrong.push(format!("no document of pid {} for {local} {remote}", side.pid));
                continue;
            };
            let seen = capture.seen_until(transport, local, remote, made(doc))?;
            let differences = compare::differences(doc, side, &seen, self.given);
            if differences.is_empty() {
                continue;
            }
            if skips_probes(&self.hooks) && compare::lacks_only(doc, side, &seen) {
                lacking += 1;
                continue;
            }
            wrong.push(format!("{}: {}", brief(doc), differences.join("; ")));
        }
        if lacking > 0 {
            let all = sides.len();
            println!("{scenario}: {lacking} of {all} lack what skipped probes would have seen");
            let few = u64::try_from(all / 100)?;
            self.ask_at_end(scenario, move |_, counters| {
                let missed = counters.get("programs_missed").copied().unwrap_or(0);
                ensure!(
                    lacking <= missed.min(few),
                    "{lacking} of {all} ends lack something, and {missed} probes were skipped"
                );
                Ok(())
            });
        }
        let (total, bad) = (sides.len(), wrong.len());
        wrong.truncate(3);
        ensure!(bad == 0, "{bad} of {total} are wrong: {}", wrong.join(" || "));
        Ok(())
    }

    /// One more document has to be there when the agent has ended.
    pub fn expect_at_end(&self, scenario: &'static str, side: Side, seen: Seen) {
        self.expected_documents.add(scenario, &side);
        let mut at_end = self.at_end.lock().unwrap_or_else(PoisonError::into_inner);
        at_end.push(Expected { scenario, side, seen });
    }

    /// Something that all documents and counters are asked when the agent has ended.
    pub fn ask_at_end(
        &self,
        scenario: &'static str,
        question: impl FnOnce(&[Doc], &Counters) -> Result<()> + Send + 'static,
    ) {
        let mut questions = self.questions.lock().unwrap_or_else(PoisonError::into_inner);
        questions.push((scenario, Question(Box::new(question))));
    }

    /// Whether a scenario is decided only when the agent has ended.
    pub fn decides_at_end(&self, scenario: &str) -> bool {
        let at_end = self.at_end.lock().unwrap_or_else(PoisonError::into_inner);
        let questions = self.questions.lock().unwrap_or_else(PoisonError::into_inner);
        at_end.iter().any(|expected| expected.scenario == scenario)
            || questions.iter().any(|(asks, _)| *asks == scenario)
    }

    /// Ends the agent and looks whether it ended well, lost nothing and said everything exactly once.
    ///
    /// # Errors
    /// If it does not end.
    pub fn end(self) -> Result<Ended> {
        let Self { agent, expected_documents, at_end, questions, given, hooks } = self;
        let stopped = agent.stop()?;
        let mut wrong = ended_well(&stopped, &hooks);
        let program = executable()?.to_string_lossy().into_owned();
        wrong.extend(
            expected_documents
                .differences(&stopped.documents, |doc| doc.text("process.executable") == program),
        );
        let documents = &stopped.documents;
        let mut by_scenario = BTreeMap::<_, Vec<_>>::new();
        for Expected { scenario, side, seen } in
            at_end.into_inner().unwrap_or_else(PoisonError::into_inner)
        {
            let found = by_scenario.entry(scenario).or_default();
            let Some(doc) = documents.iter().find(|doc| is_of(doc, &side)) else {
                found.push(format!("no document of {side:?}"));
                continue;
            };
            let differences = compare::differences(doc, &side, &seen, given);
            if !differences.is_empty() {
                found.push(format!("{}: {}", brief(doc), differences.join("; ")));
            }
        }
        for (scenario, Question(ask)) in
            questions.into_inner().unwrap_or_else(PoisonError::into_inner)
        {
            if let Err(error) = ask(documents, &stopped.counters) {
                by_scenario.entry(scenario).or_default().push(format!("{error:#}"));
            }
        }
        Ok(Ended { documents: stopped.documents, wrong, by_scenario })
    }

    /// Ends the agent, and tells its counters, whatever they are.
    pub fn counters(self) -> Result<Counters> {
        Ok(self.agent.stop()?.counters)
    }

    /// Ends the agent and checks all there is to check.
    ///
    /// # Errors
    /// With everything that was wrong.
    pub fn stop(self) -> Result<Vec<Doc>> {
        let ended = self.end()?;
        ended.whole()?;
        for wrong in ended.by_scenario.values() {
            complain(wrong)?;
        }
        Ok(ended.documents)
    }

    /// Waits for the first document that `is_it` takes; `what` says of which there was none.
    pub fn wait(&self, what: &str, is_it: impl Fn(&Doc) -> bool) -> Result<Doc> {
        let mut looked_at = 0;
        let found = self.agent.wait_for(PATIENCE, |documents| {
            let new = documents.get(looked_at..).unwrap_or_default();
            looked_at = documents.len();
            new.iter().find(|doc| is_it(doc)).cloned()
        });
        found.with_context(|| format!("no document of {what} within {PATIENCE:?}"))
    }

    /// Does not hold against the agent what a scenario could not finish: it has failed already.
    pub fn forgive(&self, scenario: &str) {
        self.expected_documents.forgive(scenario);
    }

    /// Does not mind what the agent reports of processes of a scenario that broke off.
    pub fn disown(&self, pids: Vec<u32>) {
        self.expected_documents.disown(pids.into_iter().map(u64::from));
    }

    /// Waits until `find` finds what it looks for in the documents that came so far.
    pub fn wait_for<T>(&self, find: impl FnMut(&[Doc]) -> Option<T>) -> Option<T> {
        self.agent.wait_for(PATIENCE, find)
    }

    /// The hooks that the agent said it does without.
    pub fn degraded(&self) -> Vec<String> {
        self.agent.degraded()
    }

    /// Ends of conversations that this scenario makes no claim about.
    pub fn ignore(&self, scenario: &str, sides: &[&Side]) {
        sides.iter().for_each(|side| self.expected_documents.add(scenario, side));
        self.expected_documents.forgive(scenario);
    }

    /// The documents that came so far.
    pub fn documents(&self) -> Vec<Doc> {
        self.agent.documents()
    }

    /// Lines that it has logged so far.
    pub fn log(&self) -> Vec<String> {
        self.agent.log()
    }

    /// Waits for a line of the log, as [`Agent::wait_logged`] does.
    ///
    /// # Errors
    /// See there.
    pub fn wait_logged(&self, text: &str, limit: Duration) -> Result<()> {
        self.agent.wait_logged(text, limit)
    }

    /// Waits for lines of the log, as [`Agent::wait_logged_times`] does.
    ///
    /// # Errors
    /// See there.
    pub fn wait_logged_times(&self, text: &str, times: usize, limit: Duration) -> Result<()> {
        self.agent.wait_logged_times(text, times, limit)
    }

    /// Changes the configuration, as [`Agent::reconfigure`] does.
    ///
    /// # Errors
    /// See there.
    pub fn reconfigure(&self, configuration: &str) -> Result<()> {
        self.agent.reconfigure(configuration)
    }

    /// The agent's process id.
    pub fn pid(&self) -> u32 {
        self.agent.pid()
    }

    /// The documents of many ends, as far as they come in time. Each document is looked at once.
    fn find_all(&self, sides: &[Side]) -> HashMap<SideKey, Doc> {
        let mut missing: HashSet<SideKey> = sides.iter().map(key).collect();
        let mut found = HashMap::with_capacity(missing.len());
        let mut looked_at = 0;
        // On a timeout what was found so far is the answer.
        let _ = self.agent.wait_for(PATIENCE, |documents| {
            for doc in documents.get(looked_at..).unwrap_or_default() {
                if let Some(key) = key_of(doc).filter(|key| missing.remove(key)) {
                    found.insert(key, doc.clone());
                }
            }
            looked_at = documents.len();
            missing.is_empty().then_some(())
        });
        found
    }

    /// The document of one end, after `earlier` ones of it. Each document is looked at once: a look
    /// at all of them for every new one would keep the agent waiting for its reader.
    fn find(&self, side: &Side, earlier: usize) -> Result<Doc> {
        let (mut looked_at, mut passed) = (0, 0);
        let found = self.agent.wait_for_process(side.pid, PATIENCE, |documents, places| {
            while let Some(doc) = places.get(looked_at).and_then(|at| documents.get(*at)) {
                looked_at += 1;
                if is_of(doc, side) {
                    passed += 1;
                    if passed > earlier {
                        return Some(doc.clone());
                    }
                }
            }
            None
        });
        let Some(doc) = found else {
            let pair = Pair::new(side.transport, side.local, side.remote);
            let related: Vec<String> = self
                .agent
                .documents()
                .iter()
                .filter(|doc| Pair::of(doc) == Some(pair))
                .map(brief)
                .collect();
            bail!(
                "no document of pid {} for {} (local) {} (remote) within {PATIENCE:?}; \
                 of the same addresses there are {}: {}",
                side.pid,
                side.local,
                side.remote,
                related.len(),
                related.join(" ")
            )
        };
        Ok(doc)
    }
}

/// By what the document of one end is found.
type SideKey = (u64, Pair);

fn key(side: &Side) -> SideKey {
    (u64::from(side.pid), Pair::new(side.transport, side.local, side.remote))
}

fn key_of(doc: &Doc) -> Option<SideKey> {
    Some((doc.number("process.pid")?, Pair::of(doc)?))
}

impl Side {
    /// Whether a document, final or not, is of this end.
    pub fn is_reported_by(&self, doc: &Doc) -> bool {
        doc.number("process.pid") == Some(u64::from(self.pid)) && key_of(doc) == Some(key(self))
    }
}

fn is_of(doc: &Doc, side: &Side) -> bool {
    let is_final = doc.text("flow.final") == "true";
    key_of(doc) == Some(key(side)) && is_final == side.is_final
}
