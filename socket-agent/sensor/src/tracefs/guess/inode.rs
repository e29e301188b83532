//! `struct file` of a socket, and its inode.

use std::cell::RefCell;

use super::{
    Guesses, WORD,
    search::{matching_offsets, pointers},
    trial::{Hit, Spec, WORDS},
    trigger,
};
use crate::tracefs::offsets::Member;

/// Sockets that are looked at.
const TRIES: usize = 4;
/// Words of a file that are searched for a pointer to its inode.
const FILE: usize = 32;
/// Words of an inode that are searched for its number.
const INODE: usize = 24;

impl Guesses<'_> {
    /// From a file to the number of its inode.
    pub(super) fn inodes(&mut self) -> Result<(), String> {
        let socket = self.argument(0)?;
        let place = self.offsets.get(Member::SocketFile);
        let place = place.ok_or("where the file of a socket is was not found")?.offset;
        let file = format!("+{place}({socket})");
        let action = || trigger::bound().map(drop);
        let spec = Spec::dump("inet_bind", &[], &file, FILE);
        let candidates = self.trial(&[spec], action, |hits| {
            if hits.len() < TRIES {
                return Err("too few sockets were bound".into());
            }
            let dumps: Vec<_> = hits.iter().map(Hit::dump).collect();
            Ok(pointers(&dumps, usize::from(WORD)))
        })?;
        let mut found = Vec::new();
        for group in candidates.chunks(WORDS / INODE) {
            let tried = RefCell::new(Vec::new());
            let action = || {
                tried.borrow_mut().push(trigger::bound()?);
                Ok(())
            };
            let mut spec = Spec::dump("inet_bind", &[], &file, 0);
            spec.memory = group.iter().map(|at| (format!("+{at}({file})"), 0, INODE)).collect();
            found
                .extend(self.trial(&[spec], action, |hits| numbers(hits, &tried.borrow(), group))?);
        }
        // A socket, to which other pointers lead, has its inode further behind.
        let (number, inode) = found.into_iter().min().ok_or("no pointer of a file leads to it")?;
        self.note(Member::FileInode, inode, WORD);
        self.note(Member::InodeNumber, number, WORD);
        Ok(())
    }
}

/// Offsets of the number behind a pointer, and of the pointer, for each pointer that leads to it.
fn numbers(hits: &[Hit], tried: &[u64], pointers: &[usize]) -> Result<Vec<(u32, u32)>, String> {
    if hits.len() < TRIES || hits.len() != tried.len() {
        return Err(format!("{} of {} sockets were seen", hits.len(), tried.len()));
    }
    let word = usize::from(WORD);
    let values: Vec<_> = tried.iter().map(|number| number.to_ne_bytes()).collect();
    let behind = |index: usize| {
        let dumps: Vec<_> = hits
            .iter()
            .zip(&values)
            .map(|(hit, value)| {
                (hit.memory.get(index).map_or(&[][..], Vec::as_slice), &value[..word])
            })
            .collect();
        matching_offsets(&dumps, word).first().copied()
    };
    let small = |at: usize| u32::try_from(at).map_err(|error| error.to_string());
    let found =
        pointers.iter().enumerate().filter_map(|(index, pointer)| Some((behind(index)?, *pointer)));
    found.map(|(number, pointer)| Ok((small(number)?, small(pointer)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_is_found_behind_the_pointer_that_leads_to_it() {
        let tried = [11_u64, 12, 13, 14];
        let hits: Vec<Hit> = tried
            .iter()
            .map(|number| {
                let inode = [0, 7, *number].map(u64::to_ne_bytes).concat();
                Hit { spec: 0, values: Vec::new(), memory: vec![vec![0; 24], inode] }
            })
            .collect();
        if WORD == 8 {
            assert_eq!(numbers(&hits, &tried, &[16, 32]), Ok(vec![(16, 32)]));
        }
        assert!(numbers(&hits, &tried[1..], &[16, 32]).is_err());
    }
}
