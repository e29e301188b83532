//! `struct skb_shared_info`: the segment size of an offloaded buffer.

use std::cell::Cell;

use super::{
    Guesses,
    search::number,
    trial::{Hit, Spec},
    trigger,
};
use crate::tracefs::{offsets::Member, probe::ENDS};

/// Words of the shared information that are looked at.
const SHARED: usize = 4;

impl Guesses<'_> {
    pub(super) fn segments(&mut self) -> Result<(), String> {
        let skb = self.argument(self.shapes.output_buffer)?;
        let at = |member| self.offsets.get(member).map(|offset| offset.offset);
        let (Some(length), Some(end), Some(head)) =
            (at(Member::SkbLen), at(Member::SkbEnd), at(Member::SkbHead))
        else {
            return Err("buffers are not known".into());
        };
        let values = [length, end, head].map(|at| format!("+{at}({skb})")).to_vec();
        let size = Cell::new(0);
        let action = || {
            size.set(trigger::bulk()?);
            Ok(())
        };
        // First the sizes that buffers have here, then what stands behind buffers of such sizes.
        let sizes = Spec { function: "ip_output", values: values.clone(), memory: Vec::new() };
        let seen = self.trial(&[sizes], action, |hits| {
            let mut seen: Vec<u32> =
                hits.iter().filter(|hit| large(hit, size.get())).map(end_of).collect();
            seen.sort_unstable();
            seen.dedup();
            if seen.is_empty() { Err("no offloaded buffer was seen".into()) } else { Ok(seen) }
        })?;
        let mut free = ENDS;
        for end in seen {
            if !self.shapes.ends.contains(&end) && free > 0 {
                free -= 1;
                self.shapes.ends[free] = end;
            }
        }
        let ends = self.shapes.ends;
        let memory =
            ends.iter().map(|end| (format!("+{head}({skb})"), i64::from(*end), SHARED)).collect();
        let spec = Spec { function: "ip_output", values, memory };
        let offset = self.trial(&[spec], action, |hits| {
            let wanted = u16::try_from(size.get()).map_err(|error| error.to_string())?;
            let wanted = wanted.to_ne_bytes();
            let dumps: Vec<(&[u8], &[u8])> = hits
                .iter()
                .filter(|hit| large(hit, size.get()))
                .filter_map(|hit| {
                    let index = ends.iter().position(|end| *end == end_of(hit))?;
                    Some((hit.memory.get(index)?.as_slice(), &wanted[..]))
                })
                .collect();
            most(&dumps).ok_or_else(|| {
                format!("{} is not behind most of {} offloaded buffers", size.get(), dumps.len())
            })
        })?;
        self.note(Member::GsoSize, u32::try_from(offset).unwrap_or(0), 2);
        Ok(())
    }
}

/// Where most dumps have their value: a buffer may be cut differently, or have been changed since.
fn most(dumps: &[(&[u8], &[u8])]) -> Option<usize> {
    let count =
        |at: usize| dumps.iter().filter(|(dump, value)| dump[at..].starts_with(value)).count();
    let length = dumps.iter().map(|(dump, _)| dump.len()).min()?;
    let best = (0..length).step_by(2).max_by_key(|at| (count(*at), std::cmp::Reverse(*at)))?;
    (4 * count(best) > 3 * dumps.len()).then_some(best)
}

/// Whether a buffer holds several segments.
fn large(hit: &Hit, segment: u32) -> bool {
    let length = hit.values.first().map_or(0, |length| length & 0xffff_ffff);
    length > 2 * u64::from(segment) && segment > 0
}

/// Size of a buffer: its end is told as the distance from its head, on 32-bit machines as an address.
fn end_of(hit: &Hit) -> u32 {
    let half = |index: usize| {
        let value = hit.values.get(index).copied().unwrap_or(0).to_ne_bytes();
        number(&value, 0, 4).and_then(|value| u32::try_from(value).ok()).unwrap_or(0)
    };
    if size_of::<usize>() == 8 { half(1) } else { half(1).wrapping_sub(half(2)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_where_most_have_it_counts() {
        let (with, without) = ([9, 9, 7, 1, 0, 0], [7, 1, 9, 9, 0, 0]);
        let value = &[7, 1][..];
        let dumps = [&with, &with, &with, &with, &without].map(|dump| (&dump[..], value));
        assert_eq!(most(&dumps), Some(2));
        assert_eq!(most(&dumps[3..]), None);
        assert_eq!(most(&[]), None);
    }
}
