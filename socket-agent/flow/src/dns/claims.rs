//! Whose answers they are: the flow that brought an answer in tells the process that asked.
//!
//! Either may become known first. A flow is seen when its socket is closed or when the tables are
//! read, an answer when it arrives; both carry the time by the same clock.

use std::{
    collections::HashSet,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use lru::LruCache;
use socket_common::Flow;

use crate::address;

/// Port of DNS servers.
pub(super) const PORT: u16 = 53;
/// Sockets that have talked to a server and are remembered.
const SOCKETS: usize = 8192;
/// Uses of one address and port that are distinguished.
const USES: usize = 4;
/// Addresses in answers that wait for their flow.
const WAITING: usize = 65_536;
/// How long they do, nanoseconds: several times the pause between two looks at the open flows.
const PATIENCE: u64 = 20_000_000_000;
/// How far two clocks may seem apart, nanoseconds.
const SLACK: u64 = 20_000_000;

/// A process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Asker {
    pub(super) pid: u32,
    /// Start of the process, boottime nanoseconds.
    pub(super) start: u64,
}

/// The asking end of a conversation with a server. Network namespaces are compared apart: packets of
/// a container also pass that of the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Client {
    pub(super) protocol: u8,
    pub(super) address: SocketAddr,
}

/// An answer that gave addresses for a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) name: Arc<str>,
    /// With their times to live in seconds.
    pub(super) addresses: Vec<(IpAddr, u32)>,
    pub(super) client: Client,
    /// Network namespace in which it was captured.
    pub(super) netns: u32,
    /// Time of its arrival, boottime nanoseconds.
    pub(super) time: u64,
}

/// Process and socket that asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Claim {
    /// Network namespace of the socket.
    pub(super) netns: u32,
    /// `None` if the socket's owner is not known.
    pub(super) asker: Option<Asker>,
}

/// One use of a client's address and port.
#[derive(Clone, Copy, Debug)]
struct Use {
    first: u64,
    /// Up to when the socket is known to have been there.
    until: u64,
    claim: Claim,
}

#[derive(Debug)]
pub(super) struct Claims {
    sockets: LruCache<Client, Vec<Use>>,
    /// Those that were answered last stay longest: a host that serves names to many others must not
    /// lose sight of its own.
    waiting: LruCache<Client, Vec<Answer>>,
    /// Addresses in them.
    count: usize,
    /// Addresses of the answers that came after the last look at the open flows.
    fresh: HashSet<IpAddr>,
    /// Answers for which no socket of this host was found.
    pub(super) unclaimed: u64,
}

// === impl Client ===

impl Client {
    fn of(flow: &Flow) -> Self {
        let tuple = &flow.tuple;
        let address = SocketAddr::new(address(tuple, tuple.local), tuple.local_port);
        Self { protocol: tuple.protocol, address }
    }
}

// === impl Use ===

impl Use {
    fn covers(&self, answer: &Answer) -> bool {
        let same = self.claim.netns == answer.netns || is_shared(answer.client.address.ip());
        same && (self.first.saturating_sub(SLACK)..=self.until).contains(&answer.time)
    }
}

/// Whether an address means the same in another network namespace.
pub(super) fn is_shared(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !address.is_loopback() && !address.is_link_local(),
        IpAddr::V6(address) => !address.is_loopback() && !address.is_unicast_link_local(),
    }
}

fn addresses(answers: &[Answer]) -> usize {
    answers.iter().map(|answer| answer.addresses.len()).sum()
}

/// The process that owns a flow.
pub(super) fn asker(flow: &Flow) -> Option<Asker> {
    (flow.owner.pid != 0).then_some(Asker { pid: flow.owner.pid, start: flow.owner.start })
}

// === impl Claims ===

impl Claims {
    pub(super) fn new() -> Self {
        Self {
            sockets: LruCache::unbounded(),
            waiting: LruCache::unbounded(),
            count: 0,
            fresh: HashSet::new(),
            unclaimed: 0,
        }
    }

    /// An answer has arrived: whose it is, or it waits.
    pub(super) fn answer(&mut self, answer: Answer) -> Option<(Answer, Claim)> {
        let known = self.sockets.get(&answer.client).and_then(|uses| {
            let covering = || uses.iter().rev().filter(|known| known.covers(&answer));
            let exact = covering().find(|known| known.claim.netns == answer.netns);
            exact.or_else(|| covering().next()).map(|known| known.claim)
        });
        if let Some(claim) = known {
            return Some((answer, claim));
        }
        while self.count >= WAITING {
            let Some((_, oldest)) = self.waiting.pop_lru() else { break };
            self.count -= addresses(&oldest);
            self.unclaimed += oldest.len() as u64;
        }
        self.count += answer.addresses.len();
        if self.fresh.len() < WAITING {
            self.fresh.extend(answer.addresses.iter().map(|(address, _)| *address));
        }
        self.waiting.get_or_insert_mut(answer.client, Vec::new).push(answer);
        None
    }

    /// A flow to a server, of a socket that was closed, or is still open at `now`: the answers that
    /// are its own.
    pub(super) fn flow(&mut self, flow: &Flow, now: u64) -> Vec<(Answer, Claim)> {
        if flow.tuple.remote_port != PORT {
            return Vec::new();
        }
        let until = if flow.ended == 0 { now } else { flow.ended.max(flow.last) + SLACK };
        let claim = Claim { netns: flow.tuple.netns, asker: asker(flow) };
        let known = Use { first: flow.first, until, claim };
        let client = Client::of(flow);
        let uses = self.sockets.get_or_insert_mut(client, Vec::new);
        let same =
            |other: &&mut Use| other.first == known.first && other.claim.netns == claim.netns;
        if let Some(same) = uses.iter_mut().find(same) {
            *same = known;
        } else {
            if uses.len() >= USES {
                uses.remove(0);
            }
            uses.push(known);
        }
        if self.sockets.len() > SOCKETS {
            self.sockets.pop_lru();
        }
        self.claim(client, &known)
    }

    /// The open flows have been looked at.
    pub(super) fn looked(&mut self) {
        self.fresh = HashSet::new();
    }

    /// Whether a look at the open flows may tell who asked for this address.
    pub(super) fn may_be_claimed(&self, address: IpAddr) -> bool {
        self.fresh.len() >= WAITING || self.fresh.contains(&address)
    }

    fn claim(&mut self, client: Client, known: &Use) -> Vec<(Answer, Claim)> {
        let Some(answers) = self.waiting.peek_mut(&client) else { return Vec::new() };
        let claimed: Vec<_> = answers.extract_if(.., |answer| known.covers(answer)).collect();
        self.count -= addresses(&claimed);
        if answers.is_empty() {
            self.waiting.pop(&client);
        }
        claimed.into_iter().map(|answer| (answer, known.claim)).collect()
    }

    /// Gives up answers that have waited for too long.
    pub(super) fn expire(&mut self, now: u64) {
        let Self { waiting, count, unclaimed, .. } = self;
        let mut empty = Vec::new();
        for (client, answers) in waiting.iter_mut() {
            let late = |answer: &mut Answer| now.saturating_sub(answer.time) >= PATIENCE;
            let late: Vec<_> = answers.extract_if(.., late).collect();
            *count -= addresses(&late);
            *unclaimed += late.len() as u64;
            if answers.is_empty() {
                empty.push(*client);
            }
        }
        for client in empty {
            waiting.pop(&client);
        }
        if waiting.is_empty() {
            // Gives back the memory of a peak.
            *waiting = LruCache::unbounded();
        }
    }
}

#[cfg(test)]
mod tests {
    use socket_common::{FAMILY_IPV4, Owner, PROTO_UDP, Tuple};

    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn answer(port: u16, time: u64) -> Answer {
        let client = Client { protocol: PROTO_UDP, address: ([10, 0, 0, 1], port).into() };
        let addresses = vec![(IpAddr::from([192, 0, 2, 1]), 60)];
        Answer { name: "a.example".into(), addresses, client, netns: 5, time }
    }

    fn flow(port: u16, pid: u32, first: u64, ended: u64) -> Flow {
        let mut tuple = Tuple {
            local_port: port,
            remote_port: PORT,
            netns: 5,
            family: FAMILY_IPV4,
            protocol: PROTO_UDP,
            ..Tuple::default()
        };
        tuple.local[0] = u32::from_ne_bytes([10, 0, 0, 1]);
        let owner = Owner { pid, start: 1, ..Owner::default() };
        Flow { tuple, owner, first, last: first, ended, ..Flow::default() }
    }

    fn pids(claimed: impl IntoIterator<Item = (Answer, Claim)>) -> Vec<u32> {
        claimed.into_iter().map(|(_, claim)| claim.asker.map_or(0, |asker| asker.pid)).collect()
    }

    #[test]
    fn the_flow_may_come_before_or_after_its_answer() {
        let mut claims = Claims::new();
        assert_eq!(claims.answer(answer(4000, 5 * SECOND)), None);
        let flow = flow(4000, 7, 4 * SECOND, 6 * SECOND);
        assert_eq!(pids(claims.flow(&flow, 7 * SECOND)), [7]);
        assert_eq!(pids(claims.flow(&flow, 7 * SECOND)), [0; 0], "an answer is claimed once");
        assert_eq!(pids(claims.answer(answer(4000, 5 * SECOND + 1))), [7]);
        assert_eq!((claims.count, claims.unclaimed), (0, 0));
    }

    #[test]
    fn a_port_that_is_used_again_is_told_apart_by_time() {
        let mut claims = Claims::new();
        claims.answer(answer(4000, 5 * SECOND));
        claims.answer(answer(4000, 9 * SECOND));
        let two = claims.flow(&flow(4000, 8, 8 * SECOND, 10 * SECOND), 11 * SECOND);
        let one = claims.flow(&flow(4000, 7, 4 * SECOND, 6 * SECOND), 11 * SECOND);
        assert_eq!((one[0].0.time, two[0].0.time), (5 * SECOND, 9 * SECOND));
        assert_eq!((pids(one), pids(two)), (vec![7], vec![8]));
    }

    #[test]
    fn an_open_socket_claims_up_to_the_look_at_it() {
        let mut claims = Claims::new();
        claims.flow(&flow(4000, 7, 4 * SECOND, 0), 6 * SECOND);
        claims.looked();
        assert_eq!(pids(claims.answer(answer(4000, 5 * SECOND))), [7]);
        assert_eq!(claims.answer(answer(4000, 9 * SECOND)), None);
        let address = IpAddr::from([192, 0, 2, 1]);
        assert!(claims.may_be_claimed(address));
        assert_eq!(pids(claims.flow(&flow(4000, 7, 4 * SECOND, 0), 10 * SECOND)), [7]);
        claims.looked();
        assert!(!claims.may_be_claimed(address));
    }

    #[test]
    fn a_container_s_answers_may_be_seen_from_the_host() {
        let mut claims = Claims::new();
        claims.answer(Answer { netns: 1, ..answer(4000, 5 * SECOND) });
        let mut local = answer(4000, 5 * SECOND);
        local.client.address.set_ip([127, 0, 0, 1].into());
        claims.answer(Answer { netns: 1, ..local });
        let flow = flow(4000, 7, 4 * SECOND, 6 * SECOND);
        let claimed = claims.flow(&flow, 7 * SECOND);
        assert_eq!(claimed[0].1.netns, 5, "the place of the socket counts");
        assert_eq!(pids(claimed), [7]);
        let mut at_loopback = flow;
        at_loopback.tuple.local[0] = u32::from_ne_bytes([127, 0, 0, 1]);
        assert_eq!(
            pids(claims.flow(&at_loopback, 7 * SECOND)),
            [0; 0],
            "loopback is another there"
        );
    }

    #[test]
    fn what_nobody_claims_is_given_up_and_counted() {
        let mut claims = Claims::new();
        for number in 0..WAITING {
            claims.answer(answer((number % 60_000) as u16, SECOND));
        }
        assert_eq!((claims.count, claims.unclaimed), (WAITING, 0));
        // Port 0 has two, port 6000 is the first with one: those used last stay.
        claims.answer(answer(0, SECOND));
        assert_eq!((claims.count, claims.unclaimed), (WAITING, 1));
        let unowned = flow(1, 0, 0, 9 * SECOND);
        assert_eq!(pids(claims.flow(&unowned, SECOND)), [0; 2], "a socket of this host");
        claims.expire(SECOND + PATIENCE);
        assert_eq!((claims.count, claims.unclaimed), (0, WAITING as u64 - 1));
    }
}
