//! Questions under way. An answer counts only if this host asked for it: whoever can send packets
//! with the source port 53 could otherwise give any address any name.

use std::net::SocketAddr;

use lru::LruCache;

use super::message::Question;

/// Questions that are remembered.
const QUESTIONS: usize = 16_384;
/// Nobody waits longer for an answer. Nanoseconds.
const PATIENCE: u64 = 30_000_000_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct QuestionKey {
    netns: u32,
    client: SocketAddr,
    server: SocketAddr,
    id: u16,
}

#[derive(Debug)]
struct Asked {
    question: Question,
    time: u64,
    answered: bool,
}

/// Judgement of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The first to a question that was asked.
    Asked,
    /// A further one: the same packet seen on another interface, or sent twice.
    Again,
    /// To no question that is known.
    Unasked,
}

/// Questions over UDP.
#[derive(Debug)]
pub(super) struct Questions {
    asked: LruCache<QuestionKey, Asked>,
    /// Questions that gave way to others before they were answered.
    pub(super) evicted: u64,
}

impl Questions {
    pub(super) fn new() -> Self {
        Self { asked: LruCache::unbounded(), evicted: 0 }
    }

    /// `ends` are client and server.
    pub(super) fn ask(
        &mut self,
        netns: u32,
        ends: [SocketAddr; 2],
        id: u16,
        question: Question,
        time: u64,
    ) {
        let key = QuestionKey { netns, client: ends[0], server: ends[1], id };
        // The same question on its way through a further interface.
        if self.asked.peek(&key).is_some_and(|known| {
            !known.answered
                && known.question == question
                && time.saturating_sub(known.time) < PATIENCE
        }) {
            return;
        }
        while self.asked.len() >= QUESTIONS {
            let Some((_, old)) = self.asked.pop_lru() else { break };
            self.evicted += u64::from(!old.answered && time.saturating_sub(old.time) < PATIENCE);
        }
        self.asked.put(key, Asked { question, time, answered: false });
    }

    pub(super) fn answer(
        &mut self,
        netns: u32,
        ends: [SocketAddr; 2],
        id: u16,
        question: &Question,
        time: u64,
    ) -> Verdict {
        let key = QuestionKey { netns, client: ends[0], server: ends[1], id };
        match self.asked.peek_mut(&key) {
            Some(asked)
                if asked.question == *question && time.saturating_sub(asked.time) < PATIENCE =>
            {
                let again = std::mem::replace(&mut asked.answered, true);
                if again { Verdict::Again } else { Verdict::Asked }
            }
            _ => Verdict::Unasked,
        }
    }

    /// Forgets what nobody waits for any more.
    pub(super) fn expire(&mut self, now: u64) {
        while let Some((_, oldest)) = self.asked.peek_lru() {
            if now.saturating_sub(oldest.time) < PATIENCE {
                break;
            }
            self.asked.pop_lru();
        }
    }

    pub(super) fn len(&self) -> usize {
        self.asked.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn ends(client: u16) -> [SocketAddr; 2] {
        [SocketAddr::from(([10, 0, 0, 1], client)), SocketAddr::from(([10, 0, 0, 53], 53))]
    }

    fn question(name: &str) -> Question {
        Question { name: name.to_owned(), kind: 1 }
    }

    #[test]
    fn only_what_was_asked_is_answered_and_once() {
        let mut questions = Questions::new();
        questions.ask(1, ends(4000), 7, question("a.example"), 0);
        let mut answer =
            |netns, ends, id, name, time| questions.answer(netns, ends, id, &question(name), time);
        assert_eq!(answer(1, ends(4001), 7, "a.example", SECOND), Verdict::Unasked);
        assert_eq!(answer(1, ends(4000), 8, "a.example", SECOND), Verdict::Unasked);
        assert_eq!(answer(2, ends(4000), 7, "a.example", SECOND), Verdict::Unasked);
        assert_eq!(answer(1, ends(4000), 7, "b.example", SECOND), Verdict::Unasked);
        assert_eq!(answer(1, ends(4000), 7, "a.example", 60 * SECOND), Verdict::Unasked);
        assert_eq!(answer(1, ends(4000), 7, "a.example", SECOND), Verdict::Asked);
        assert_eq!(answer(1, ends(4000), 7, "a.example", SECOND), Verdict::Again);
    }

    #[test]
    fn a_flood_of_questions_is_bounded_and_counted() {
        let mut questions = Questions::new();
        for id in 0..=u16::MAX {
            questions.ask(1, ends(4000), id, question("a.example"), u64::from(id));
        }
        assert_eq!(questions.len(), QUESTIONS);
        assert_eq!(questions.evicted, 65_536 - QUESTIONS as u64);
        questions.expire(PATIENCE + 65_535 - 10);
        assert_eq!(questions.len(), 10);
        questions.expire(u64::MAX);
        assert_eq!(questions.len(), 0);
    }
}
