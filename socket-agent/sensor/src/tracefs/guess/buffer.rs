//! `struct sk_buff`: what is sent, and where in it the headers are.

use std::cell::RefCell;

use super::{
    Guesses, WORD,
    search::{matching_offsets, number, pointers},
    trial::{Hit, Spec},
    trigger,
};
use crate::tracefs::offsets::Member;

/// Words of a buffer's structure.
const BUFFER: usize = 32;
/// IP and UDP headers.
const HEADERS: usize = 28;
/// Bytes that a datagram carries whose headers are looked for.
const PAYLOAD: usize = 100;
const TRIES: usize = 4;

impl Guesses<'_> {
    /// Which argument is the buffer; its socket and length; which argument of the receiving function
    /// is the socket.
    pub(super) fn buffers(&mut self) -> Result<(), String> {
        let arguments = [self.argument(0)?, self.argument(1)?, self.argument(2)?];
        let mut output = Spec::dump("ip_output", &arguments, arguments[0], BUFFER);
        output.memory = arguments.iter().map(|base| ((*base).to_owned(), 0, BUFFER)).collect();
        let specs = [
            Spec::dump("udp_v4_get_port", &arguments[..1], arguments[0], 1),
            output,
            Spec::dump("udp_recvmsg", &arguments[..2], arguments[0], 1),
        ];
        let lengths = RefCell::new(Vec::new());
        let action = || {
            let length = 200 + 13 * lengths.borrow().len();
            lengths.borrow_mut().push(length);
            trigger::datagram(length).map(drop)
        };
        let (argument, sock, length, taking) =
            self.trial(&specs, action, |hits| buffers(hits, &lengths.borrow()))?;
        self.shapes.output_buffer = argument;
        self.shapes.taking_socket = taking.unwrap_or(0);
        self.note(Member::SkbSk, sock, WORD);
        self.note(Member::SkbLen, length, 4);
        Ok(())
    }

    /// Pointers to the data, and the distance of the network header.
    pub(super) fn headers(&mut self) -> Result<(), String> {
        let skb = self.argument(self.shapes.output_buffer)?;
        let ends = RefCell::new(Vec::new());
        let action = || {
            ends.borrow_mut().push(trigger::datagram(PAYLOAD)?);
            Ok(())
        };
        let spec = Spec::dump("ip_output", &[], skb, BUFFER);
        let candidates = self.trial(&[spec], action, |hits| {
            let dumps: Vec<_> = hits.iter().map(Hit::dump).collect();
            if dumps.len() < TRIES {
                return Err("too few packets were seen".into());
            }
            Ok(pointers(&dumps, size_of::<usize>()))
        })?;
        let mut spec = Spec::dump("ip_output", &[], skb, BUFFER);
        spec.memory.extend(candidates.iter().map(|at| (format!("+{at}({skb})"), 0, 3)));
        spec.memory.truncate(1 + 20);
        ends.borrow_mut().clear();
        let Headers { data, end, network, size } =
            self.trial(&[spec], action, |hits| headers(hits, &ends.borrow(), &candidates))?;
        let word = size_of::<usize>() as u32;
        // In every kernel `head` stands right before `data`.
        let head = data.checked_sub(word).ok_or("no room for the head")?;
        self.note(Member::SkbData, data, WORD);
        self.note(Member::SkbHead, head, WORD);
        self.note(Member::SkbEnd, end, 4);
        self.note(Member::SkbNetwork, network, size);
        Ok(())
    }
}

type Buffers = (usize, u32, u32, Option<usize>);

fn buffers(hits: &[Hit], lengths: &[usize]) -> Result<Buffers, String> {
    let of = |spec: usize| hits.iter().filter(move |hit| hit.spec == spec);
    let sent: Vec<_> = of(1).collect();
    // Each datagram has two sockets; the first of them sends.
    let socks: Vec<_> =
        of(0).filter_map(|hit| hit.values.first().map(|sock| sock.to_ne_bytes())).collect();
    if sent.len() < TRIES || sent.len() != lengths.len() || socks.len() != 2 * sent.len() {
        return Err(format!("{} of {} datagrams were seen", sent.len(), lengths.len()));
    }
    let senders: Vec<_> = socks.iter().step_by(2).collect();
    let totals: Vec<_> = lengths
        .iter()
        .map(|length| u32::try_from(length + HEADERS).unwrap_or(0).to_ne_bytes())
        .collect();
    let word = size_of::<usize>();
    let found = (0..3).find_map(|argument| {
        let dump =
            |hit: &'_ &'_ Hit| -> Vec<u8> { hit.memory.get(argument).cloned().unwrap_or_default() };
        let dumps: Vec<_> = sent.iter().map(dump).collect();
        let with = |values: Vec<Vec<u8>>, step: usize| -> Option<u32> {
            let pairs: Vec<_> =
                dumps.iter().zip(&values).map(|(dump, value)| (&dump[..], &value[..])).collect();
            matching_offsets(&pairs, step).first().and_then(|at| u32::try_from(*at).ok())
        };
        let sock = with(senders.iter().map(|sock| sock[..word].to_vec()).collect(), word)?;
        let length = with(totals.iter().map(|total| total.to_vec()).collect(), 4)?;
        Some((argument, sock, length))
    });
    let (argument, sock, length) =
        found.ok_or("no argument of ip_output is a buffer with the socket and length sent")?;
    let receivers: Vec<_> = socks.iter().skip(1).step_by(2).collect();
    let taking = (0..2).find(|argument| {
        of(2).count() > 0
            && of(2).all(|hit| {
                hit.values
                    .get(*argument)
                    .is_some_and(|value| receivers.iter().any(|sock| **sock == value.to_ne_bytes()))
            })
    });
    Ok((argument, sock, length, taking))
}

struct Headers {
    data: u32,
    end: u32,
    network: u32,
    /// Bytes of the distance of the network header.
    size: u8,
}

fn headers(
    hits: &[Hit],
    ends: &[(std::net::SocketAddr, std::net::SocketAddr)],
    candidates: &[usize],
) -> Result<Headers, String> {
    if hits.len() < TRIES || hits.len() != ends.len() {
        return Err(format!("{} of {} datagrams were seen", hits.len(), ends.len()));
    }
    let is_header = |memory: &[u8], (from, to): &(std::net::SocketAddr, std::net::SocketAddr)| {
        let (std::net::IpAddr::V4(from), std::net::IpAddr::V4(to)) = (from.ip(), to.ip()) else {
            return false;
        };
        memory.first() == Some(&0x45)
            && memory.get(12..16) == Some(&from.octets()[..])
            && memory.get(16..20) == Some(&to.octets()[..])
    };
    let index = (0..candidates.len()).find(|index| {
        hits.iter().zip(ends).all(|(hit, ends)| {
            hit.memory.get(1 + index).is_some_and(|memory| is_header(memory, ends))
        })
    });
    let data = candidates[index.ok_or("no pointer of the buffer leads to the IP header")?];
    let word = size_of::<usize>();
    let distances: Vec<u64> = hits
        .iter()
        .filter_map(|hit| {
            let at = |at| number(hit.dump(), at, word);
            at(data)?.checked_sub(at(data.checked_sub(word)?)?)
        })
        .collect();
    if distances.len() != hits.len() || distances.iter().any(|distance| *distance > 4096) {
        return Err("the head does not stand before the data".into());
    }
    let end = end(hits, data, &distances).ok_or("no end of the data stands before the head")?;
    // The distance of the transport header stands right before that of the network header.
    for size in [2usize, 4] {
        let pairs: Vec<_> = hits
            .iter()
            .zip(&distances)
            .map(|(hit, distance)| {
                let bytes = |value: u64| value.to_ne_bytes()[..size].to_vec();
                (hit.dump(), [bytes(distance + 20), bytes(*distance)].concat())
            })
            .collect();
        let pairs: Vec<_> = pairs.iter().map(|(dump, value)| (*dump, &value[..])).collect();
        if let Some(at) = matching_offsets(&pairs, size).first() {
            let small = |value: usize| u32::try_from(value).map_err(|error| error.to_string());
            let (data, network) = (small(data)?, small(at + size)?);
            return Ok(Headers { data, end: small(end)?, network, size: size as u8 });
        }
    }
    Err("the distance of the network header is nowhere".into())
}

/// Where the end of the buffer is: behind the end of the data, which is known. Before the head there may
/// be a gap. Both are distances from the head; on 32-bit machines they are addresses.
fn end(hits: &[Hit], data: usize, distances: &[u64]) -> Option<usize> {
    let word = size_of::<usize>();
    let head = data.checked_sub(word)?;
    let length = (PAYLOAD + HEADERS) as u64;
    let is_tail = |at: &usize| {
        hits.iter().zip(distances).all(|(hit, distance)| {
            let start = if word == 8 { Some(*distance) } else { number(hit.dump(), data, word) };
            start.is_some_and(|start| number(hit.dump(), *at, 4) == Some(start + length))
        })
    };
    let tail = [8, 12].into_iter().filter_map(|back| head.checked_sub(back)).find(is_tail)?;
    Some(tail + 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A buffer whose data ends at 40 + 128, with its head at 192.
    fn hit(tail: usize) -> Hit {
        let mut dump = vec![0; 8 * BUFFER];
        let mut put = |at: usize, bytes: &[u8]| dump[at..at + bytes.len()].copy_from_slice(bytes);
        let head = 0xffff_8880_0000_1000_u64;
        put(192, &head.to_ne_bytes());
        put(192 + size_of::<usize>(), &(head + 40).to_ne_bytes());
        put(tail, &168_u32.to_ne_bytes());
        put(tail + 4, &704_u32.to_ne_bytes());
        Hit { spec: 0, values: Vec::new(), memory: vec![dump] }
    }

    #[test]
    fn the_end_stands_behind_the_tail_whether_there_is_a_gap_or_not() {
        if size_of::<usize>() == 8 {
            assert_eq!(end(&[hit(184)], 200, &[40]), Some(188));
            assert_eq!(end(&[hit(180)], 200, &[40]), Some(184));
            assert_eq!(end(&[hit(170)], 200, &[40]), None);
        }
    }
}
