//! `struct sock` and what hangs on it.

use std::{cell::RefCell, collections::HashMap, fs, os::unix::fs::MetadataExt};

use super::{
    Guesses, WORD,
    search::{first, matching_offsets, number, pointers},
    trial::{Hit, Spec, WORDS},
    trigger::{self, Tried},
};
use crate::tracefs::offsets::{Member, MemberLayout};

const SYN_SENT: u64 = 2;
const CLOSE: u64 = 7;
/// Connects that are looked at.
const TRIES: usize = 4;

impl Guesses<'_> {
    pub(super) fn note(&mut self, member: Member, offset: u32, size: u8) {
        self.offsets.set(member, MemberLayout { offset, size });
    }

    /// Ends, family, state, protocol, type and error of a socket.
    pub(super) fn sockets(&mut self) -> Result<(), String> {
        let (sock, new) = (self.argument(0)?, self.argument(1)?);
        let mut second = Spec::dump("tcp_set_state", &[sock, new], sock, WORDS);
        second.memory[0].1 = 8 * i64::try_from(WORDS).unwrap_or(0);
        let specs = [
            Spec::dump("tcp_set_state", &[sock, new], sock, WORDS),
            second,
            Spec::dump("udp_v4_get_port", &[sock], sock, WORDS),
        ];
        let tried = RefCell::new(Vec::new());
        let action = || {
            tried.borrow_mut().push(trigger::connect(false)?);
            trigger::datagram(10).map(drop)
        };
        let found = self.trial(&specs, action, |hits| sockets(hits, &tried.borrow()))?;
        for (member, offset, size) in found {
            self.note(member, offset, size);
        }
        Ok(())
    }

    /// Addresses of an IPv6 socket, in it or behind a pointer.
    pub(super) fn sockets6(&mut self) -> Result<(), String> {
        let (sock, new) = (self.argument(0)?, self.argument(1)?);
        let tried = RefCell::new(Vec::new());
        let action = || {
            tried.borrow_mut().push(trigger::connect(true)?);
            Ok(())
        };
        let spec = Spec::dump("tcp_set_state", &[sock, new], sock, WORDS);
        let mut second = spec.clone();
        second.memory[0].1 = 8 * i64::try_from(WORDS).unwrap_or(0);
        let (inline, candidates) = self.trial(&[spec, second], action, |hits| {
            let hits = opened(hits, 0, &tried.borrow())?;
            let dumps: Vec<_> = hits.iter().map(|(hit, _)| hit.dump()).collect();
            Ok((ends6(&hits), pointers(&dumps, size_of::<usize>())))
        })?;
        if let Ok((daddr, saddr)) = inline {
            self.note(Member::SkcDaddr6, daddr, 16);
            self.note(Member::SkcSaddr6, saddr, 16);
            return Ok(());
        }
        // Further than what is usual for it; the nearer ones come first.
        for group in candidates.chunks(WORDS / 16) {
            tried.borrow_mut().clear();
            let mut spec = Spec::dump("tcp_set_state", &[sock, new], sock, 0);
            spec.memory = group.iter().map(|at| (format!("+{at}({sock})"), 0, 16)).collect();
            let found = self.trial(&[spec], action, |hits| {
                let hits = opened(hits, 0, &tried.borrow())?;
                Ok(group.iter().enumerate().find_map(|(index, at)| {
                    let part: Vec<_> = hits
                        .iter()
                        .map(|(hit, tried)| {
                            let memory = vec![hit.memory.get(index).cloned().unwrap_or_default()];
                            (Hit { memory, ..(*hit).clone() }, *tried)
                        })
                        .collect();
                    let part: Vec<_> = part.iter().map(|(hit, tried)| (hit, *tried)).collect();
                    ends6(&part).ok().map(|ends| (*at, ends))
                }))
            })?;
            if let Some((at, (daddr, saddr))) = found {
                self.note(Member::InetPinet6, u32::try_from(at).unwrap_or(0), WORD);
                self.note(Member::Np6Daddr, daddr, 16);
                self.note(Member::Np6Saddr, saddr, 16);
                return Ok(());
            }
        }
        Err("the addresses are neither in the socket nor behind one of its pointers".into())
    }

    /// From a socket to its file, and whether a process holds its lock.
    pub(super) fn files(&mut self) -> Result<(), String> {
        let (first_argument, new) = (self.argument(0)?, self.argument(1)?);
        let specs = [
            Spec::dump("inet_bind", &[first_argument], first_argument, 16),
            Spec::dump("udp_v4_get_port", &[first_argument], first_argument, WORDS),
            Spec::dump("udp_destroy_sock", &[first_argument], first_argument, WORDS),
            Spec::dump("tcp_set_state", &[first_argument, new], first_argument, WORDS),
        ];
        let action = || {
            trigger::connect(false)?;
            trigger::datagram(10).map(drop)
        };
        let found = self.trial(&specs, action, files)?;
        for (member, offset, size) in found {
            self.note(member, offset, size);
        }
        Ok(())
    }

    /// From a socket to the number of its network namespace.
    pub(super) fn namespaces(&mut self) -> Result<(), String> {
        let sock = self.argument(0)?;
        let inode = fs::metadata("/proc/self/ns/net").map_err(|error| error.to_string())?.ino();
        let own = u32::try_from(inode).map_err(|error| error.to_string())?.to_ne_bytes();
        let action = || trigger::datagram(10).map(drop);
        let spec = Spec::dump("udp_v4_get_port", &[sock], sock, 16);
        let candidates = self.trial(&[spec], action, |hits| {
            if hits.len() < TRIES {
                return Err("too few sockets were bound".into());
            }
            let dumps: Vec<_> = hits.iter().map(Hit::dump).collect();
            let word = size_of::<usize>();
            let same = |at: &usize| {
                let value = |dump: &[u8]| number(dump, *at, word);
                dumps.iter().all(|dump| value(dump) == value(dumps[0]))
            };
            Ok(pointers(&dumps, word).into_iter().filter(same).collect::<Vec<_>>())
        })?;
        for at in candidates {
            let spec = Spec::dump("udp_v4_get_port", &[sock], &format!("+{at}({sock})"), WORDS);
            let found = self.trial(&[spec], action, |hits| {
                let dumps: Vec<_> = hits.iter().map(|hit| (hit.dump(), &own[..])).collect();
                if dumps.is_empty() {
                    Err("no hit".into())
                } else {
                    Ok(matching_offsets(&dumps, 4))
                }
            })?;
            if let Some(inum) = found.first() {
                self.note(Member::SkcNet, u32::try_from(at).unwrap_or(0), WORD);
                self.note(Member::NetInum, u32::try_from(*inum).unwrap_or(0), 4);
                return Ok(());
            }
        }
        Err("no pointer of a socket leads to the number of the network namespace".into())
    }
}

/// The hits of connects that began, each with what was tried.
fn opened<'h>(
    hits: &'h [Hit],
    spec: usize,
    tried: &[Tried],
) -> Result<Vec<(&'h Hit, Tried)>, String> {
    let opened: Vec<_> = hits
        .iter()
        .filter(|hit| hit.spec == spec && state(hit) == SYN_SENT)
        .zip(tried.iter().copied())
        .collect();
    if opened.len() < TRIES || opened.len() != tried.len() {
        return Err(format!("{} of {} connects were seen", opened.len(), tried.len()));
    }
    Ok(opened)
}

fn state(hit: &Hit) -> u64 {
    hit.values.get(1).map_or(0, |state| state & 0xff)
}

/// Offsets of the addresses of IPv6 sockets: remote, local.
fn ends6(hits: &[(&Hit, Tried)]) -> Result<(u32, u32), String> {
    let bytes: Vec<_> = hits
        .iter()
        .map(|(hit, tried)| (hit, trigger::mapped(tried.remote), trigger::mapped(tried.local)))
        .collect();
    let remote: Vec<_> = bytes.iter().map(|(hit, remote, _)| (hit.dump(), &remote[..])).collect();
    let local: Vec<_> = bytes.iter().map(|(hit, _, local)| (hit.dump(), &local[..])).collect();
    Ok((first(&remote, 4, "the remote address")?, first(&local, 4, "the local address")?))
}

type Members = Vec<(Member, u32, u8)>;

fn sockets(hits: &[Hit], tried: &[Tried]) -> Result<Members, String> {
    let opened = opened(hits, 0, tried)?;
    let mut members = Vec::new();
    let mut find = |member, what: &str, size: u8, value: fn(&Tried) -> Vec<u8>| {
        let values: Vec<_> = opened.iter().map(|(hit, tried)| (hit, value(tried))).collect();
        let dumps: Vec<_> = values.iter().map(|(hit, value)| (hit.dump(), &value[..])).collect();
        members.push((member, first(&dumps, usize::from(size), what)?, size));
        Ok::<_, String>(())
    };
    find(Member::SkcDaddr, "the remote address", 4, |tried| tried.remote.ip().octets().into())?;
    find(Member::SkcSaddr, "the local address", 4, |tried| tried.local.ip().octets().into())?;
    find(Member::SkcDport, "the remote port", 2, |tried| tried.remote.port().to_be_bytes().into())?;
    find(Member::SkcNum, "the local port", 2, |tried| tried.local.port().to_ne_bytes().into())?;

    // What is left of the socket is in the second piece.
    let whole: Vec<(Vec<u8>, [u8; 2])> = hits
        .iter()
        .filter(|hit| hit.spec == 1 && state(hit) == SYN_SENT)
        .zip(&opened)
        .map(|(rest, (hit, tried))| {
            ([hit.dump(), rest.dump()].concat(), tried.local.port().to_be_bytes())
        })
        .collect();
    let whole: Vec<_> = whole.iter().map(|(dump, port)| (&dump[..], &port[..])).collect();
    members.push((Member::InetSport, first(&whole, 2, "the local port in network order")?, 2));

    // At each change the socket still has the state that the one before gave it.
    let closed = refused(hits);
    let states: Vec<(&[u8], &[u8])> = opened
        .iter()
        .map(|(hit, _)| (hit.dump(), &[CLOSE as u8][..]))
        .chain(closed.iter().map(|dump| (*dump, &[SYN_SENT as u8][..])))
        .collect();
    let inet = 2u16.to_ne_bytes();
    let family =
        |at: &usize| *at >= 2 && opened.iter().all(|(hit, _)| hit.dump()[at - 2..*at] == inet);
    let at = matching_offsets(&states, 1).into_iter().find(family).ok_or("the state is nowhere")?;
    let at = u32::try_from(at).map_err(|error| error.to_string())?;
    members.extend([(Member::SkcState, at, 1), (Member::SkcFamily, at - 2, 2)]);
    members.extend(kinds(hits)?);

    let refused = u32::try_from(libc::ECONNREFUSED).unwrap_or(0).to_ne_bytes();
    let errors: Vec<(&[u8], &[u8])> = closed
        .iter()
        .map(|dump| (*dump, &refused[..]))
        .chain(opened.iter().map(|(hit, _)| (hit.dump(), &[0; 4][..])))
        .collect();
    if !closed.is_empty()
        && let Ok(at) = first(&errors, 4, "the error")
    {
        members.push((Member::SkErr, at, 4));
    }
    Ok(members)
}

/// The dumps of sockets that went from `SYN_SENT` straight to `CLOSE`: sockets that listened go to
/// `CLOSE` as well.
fn refused(hits: &[Hit]) -> Vec<&[u8]> {
    let mut last = HashMap::new();
    let mut found = Vec::new();
    for hit in hits.iter().filter(|hit| hit.spec == 0) {
        let before = last.insert(hit.values.first(), state(hit));
        if state(hit) == CLOSE && before == Some(SYN_SENT) {
            found.push(hit.dump());
        }
    }
    found
}

/// Protocol and type: before 5.6 a byte, with the type behind it; since then the type is before it, and in the
/// newest (7.3) behind it again.
fn kinds(hits: &[Hit]) -> Result<Members, String> {
    let dumps = |spec: usize| hits.iter().filter(move |hit| hit.spec == spec).map(Hit::dump);
    let protocols: Vec<(&[u8], &[u8])> = dumps(0)
        .map(|dump| (dump, &[6][..]))
        .chain(dumps(2).map(|dump| (dump, &[17][..])))
        .collect();
    if dumps(2).next().is_none() {
        return Err("no UDP socket was seen".into());
    }
    let is = |at: usize, kind: u64, spec: usize| {
        dumps(spec).all(|dump| number(dump, at, 2) == Some(kind))
    };
    let has_kind = |at: usize| is(at, 1, 0) && is(at, 2, 2);
    for at in matching_offsets(&protocols, 1) {
        let small = |at: usize| u32::try_from(at).map_err(|error| error.to_string());
        if at >= 2 && has_kind(at - 2) {
            let (kind, protocol) = (small(at - 2)?, small(at)?);
            return Ok(vec![(Member::SkType, kind, 2), (Member::SkProtocol, protocol, 2)]);
        }
        if has_kind(at + 1) {
            let (kind, protocol) = (small(at + 1)?, small(at)?);
            return Ok(vec![(Member::SkType, kind, 2), (Member::SkProtocol, protocol, 1)]);
        }
        if has_kind(at + 2) {
            let (kind, protocol) = (small(at + 2)?, small(at)?);
            return Ok(vec![(Member::SkType, kind, 2), (Member::SkProtocol, protocol, 2)]);
        }
    }
    Err("protocol and type are nowhere beside each other".into())
}

fn files(hits: &[Hit]) -> Result<Members, String> {
    let of = |spec: usize| hits.iter().filter(move |hit| hit.spec == spec);
    let address = |hit: &Hit| hit.values.first().copied().unwrap_or(0);
    // A datagram binds two sockets; connects bind one that takes no UDP port.
    let (mut bound, mut pairs) = (None, Vec::new());
    for hit in hits {
        match (hit.spec, bound) {
            (0, _) => bound = Some(hit),
            (1, Some(socket)) => pairs.push((socket, hit)),
            _ => {}
        }
    }
    if pairs.len() < TRIES {
        return Err("too few sockets were bound".into());
    }
    let values: Vec<_> = pairs
        .iter()
        .map(|(socket, port)| {
            (socket, port, address(socket).to_ne_bytes(), address(port).to_ne_bytes())
        })
        .collect();
    let word = size_of::<usize>();
    let socks: Vec<_> = values.iter().map(|(s, _, _, sock)| (s.dump(), &sock[..word])).collect();
    let sockets: Vec<_> =
        values.iter().map(|(_, p, socket, _)| (p.dump(), &socket[..word])).collect();
    let sock = first(&socks, word, "the sock of a socket")?;
    let socket = first(&sockets, word, "the socket of a sock")?;
    // In every kernel the file stands right before the sock.
    let file = sock.checked_sub(word as u32).ok_or("no room for a file")?;

    let locked: Vec<(&[u8], &[u8])> = of(1)
        .chain(of(3).filter(|hit| state(hit) == SYN_SENT))
        .map(|hit| (hit.dump(), &[1, 0, 0, 0][..]))
        .chain(of(2).map(|hit| (hit.dump(), &[0; 4][..])))
        .collect();
    let mut members = vec![(Member::SkSocket, socket, WORD), (Member::SocketFile, file, WORD)];
    if of(2).next().is_some()
        && let Ok(owned) = first(&locked, 4, "the lock's owner")
    {
        members.push((Member::SkOwned, owned, 4));
    }
    Ok(members)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sockets of TCP (6, a stream, 1) and UDP (17, datagrams, 2), each with these bytes at 8.
    fn sockets(bytes: impl Fn(u8, u8) -> [u8; 4]) -> Vec<Hit> {
        let hit = |spec, protocol, kind| {
            let dump = [[0xff; 8].as_slice(), &bytes(protocol, kind), &[0xff; 4]].concat();
            Hit { spec, values: Vec::new(), memory: vec![dump] }
        };
        vec![hit(0, 6, 1), hit(2, 17, 2)]
    }

    #[test]
    fn type_and_protocol_lie_beside_each_other_in_one_of_three_ways() {
        if cfg!(target_endian = "big") {
            return;
        }
        let found = |bytes: fn(u8, u8) -> [u8; 4]| kinds(&sockets(bytes));
        let members = |kind, protocol, size| {
            Ok(vec![(Member::SkType, kind, 2), (Member::SkProtocol, protocol, size)])
        };
        assert_eq!(found(|protocol, kind| [0xff, protocol, kind, 0]), members(10, 9, 1));
        assert_eq!(found(|protocol, kind| [kind, 0, protocol, 0]), members(8, 10, 2));
        assert_eq!(found(|protocol, kind| [protocol, 0, kind, 0]), members(10, 8, 2));
        assert!(found(|protocol, kind| [protocol, kind, 0xff, 0xff]).is_err());
    }
}
