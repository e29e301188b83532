//! Documents as they arrive.

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use serde_json::Value;

/// A document of the agent.
#[derive(Clone, Debug)]
pub struct Doc(Value);

impl Doc {
    /// The document as JSON.
    pub fn json(&self) -> &Value {
        &self.0
    }

    /// A field by its dotted name, written nested or dotted; `None` if absent.
    pub fn field(&self, name: &str) -> Option<&Value> {
        descend(&self.0, name)
    }

    /// A field as text: a number is written out; empty if absent.
    pub fn text(&self, name: &str) -> String {
        match self.field(name) {
            None => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        }
    }

    /// A field as a number.
    pub fn number(&self, name: &str) -> Option<u64> {
        self.field(name)?.as_u64()
    }

    /// Address and port of `source`, `destination`, `client` or `server`.
    pub fn end(&self, side: &str) -> Option<SocketAddr> {
        let ip: IpAddr = self.field(&format!("{side}.ip"))?.as_str()?.parse().ok()?;
        let port = u16::try_from(self.number(&format!("{side}.port"))?).ok()?;
        Some(SocketAddr::new(ip, port))
    }
}

impl From<Value> for Doc {
    fn from(value: Value) -> Self {
        Self(value)
    }
}

fn descend<'v>(value: &'v Value, name: &str) -> Option<&'v Value> {
    if let Some(found) = value.get(name) {
        return Some(found);
    }
    name.match_indices('.').find_map(|(dot, _)| {
        let (head, tail) = name.split_at(dot);
        descend(value.get(head)?, &tail[1..])
    })
}

#[derive(Debug, Default)]
pub(super) struct Collector {
    state: Mutex<State>,
    arrived: Condvar,
}

#[derive(Debug, Default)]
struct State {
    documents: Vec<Doc>,
    /// Places in `documents` of those that name a process, by its id.
    by_pid: HashMap<u64, Vec<usize>>,
    garbage: Vec<String>,
    ended: bool,
}

impl Collector {
    pub(super) fn line(&self, line: String) {
        match serde_json::from_str::<Value>(&line) {
            Ok(value) if value.is_object() => self.lock().push(Doc(value)),
            _ => self.lock().garbage.push(line),
        }
        self.arrived.notify_all();
    }

    pub(super) fn end(&self) {
        self.lock().ended = true;
        self.arrived.notify_all();
    }

    pub(super) fn wait_for<T>(
        &self,
        deadline: Instant,
        mut find: impl FnMut(&[Doc]) -> Option<T>,
    ) -> Option<T> {
        self.wait(deadline, |state| match find(&state.documents) {
            Some(found) => Some(Some(found)),
            None if state.ended => Some(None),
            None => None,
        })
        .flatten()
    }

    /// As [`Collector::wait_for`], with the places of the documents of one process.
    pub(super) fn wait_for_process<T>(
        &self,
        pid: u64,
        deadline: Instant,
        mut find: impl FnMut(&[Doc], &[usize]) -> Option<T>,
    ) -> Option<T> {
        self.wait(deadline, |state| {
            let places = state.by_pid.get(&pid).map(Vec::as_slice).unwrap_or_default();
            match find(&state.documents, places) {
                Some(found) => Some(Some(found)),
                None if state.ended => Some(None),
                None => None,
            }
        })
        .flatten()
    }

    pub(super) fn wait_end(&self, deadline: Instant) -> bool {
        self.wait(deadline, |state| state.ended.then_some(())).is_some()
    }

    pub(super) fn all(&self) -> Vec<Doc> {
        self.lock().documents.clone()
    }

    pub(super) fn garbage(&self) -> Vec<String> {
        self.lock().garbage.clone()
    }

    fn wait<T>(&self, deadline: Instant, mut done: impl FnMut(&State) -> Option<T>) -> Option<T> {
        let mut state = self.lock();
        loop {
            if let Some(result) = done(&state) {
                return Some(result);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            state =
                self.arrived.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn push(&mut self, doc: Doc) {
        if let Some(pid) = doc.number("process.pid") {
            self.by_pid.entry(pid).or_default().push(self.documents.len());
        }
        self.documents.push(doc);
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use serde_json::json;

    use super::*;

    #[test]
    fn fields_are_found_nested_and_dotted() {
        let doc = Doc(json!({"a": {"b": {"c": 1}, "d.e": "x"}, "f.g": 2}));
        assert_eq!(doc.number("a.b.c"), Some(1));
        assert_eq!(doc.text("a.d.e"), "x");
        assert_eq!(doc.text("f.g"), "2");
        assert_eq!(doc.text("a.x"), "");
    }

    #[test]
    fn waiting_sees_what_arrives_meanwhile() {
        let collector = Arc::new(Collector::default());
        let writer = Arc::clone(&collector);
        let thread = std::thread::spawn(move || {
            writer.line("not json".to_owned());
            writer.line(r#"{"n": 7}"#.to_owned());
        });
        let deadline = Instant::now() + Duration::from_secs(60);
        let found =
            collector.wait_for(deadline, |docs| docs.iter().find_map(|doc| doc.number("n")));
        thread.join().expect("the writer");
        assert_eq!(found, Some(7));
        assert_eq!(collector.garbage(), ["not json"]);
    }

    #[test]
    fn waiting_ends_with_the_stream() {
        let collector = Collector::default();
        collector.end();
        let deadline = Instant::now() + Duration::from_secs(3600);
        assert_eq!(collector.wait_for(deadline, |_| None::<()>), None);
    }
}
