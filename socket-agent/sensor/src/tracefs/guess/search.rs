//! Looking for values in dumps of memory. Pure.

/// A little integer in a dump.
pub(super) fn number(dump: &[u8], at: usize, size: usize) -> Option<u64> {
    let found = dump.get(at..at.checked_add(size)?)?;
    let mut bytes = [0; 8];
    if cfg!(target_endian = "little") {
        bytes.get_mut(..size)?.copy_from_slice(found);
    } else {
        bytes.get_mut(8 - size..)?.copy_from_slice(found);
    }
    Some(u64::from_ne_bytes(bytes))
}

/// Offsets, a multiple of `step` each, at which every dump has its value.
pub(super) fn matching_offsets(dumps: &[(&[u8], &[u8])], step: usize) -> Vec<usize> {
    let Some(length) = dumps.iter().map(|(dump, _)| dump.len()).min() else { return Vec::new() };
    let has = |at: usize| dumps.iter().all(|(dump, value)| dump[at..].starts_with(value));
    (0..length).step_by(step).filter(|at| has(*at)).collect()
}

/// The first of [`matching_offsets`].
pub(super) fn first(dumps: &[(&[u8], &[u8])], step: usize, what: &str) -> Result<u32, String> {
    let found = matching_offsets(dumps, step);
    let at = found.first().ok_or_else(|| format!("{what} is nowhere in {} dumps", dumps.len()))?;
    u32::try_from(*at).map_err(|error| error.to_string())
}

/// Offsets of words that hold an address of the kernel in every dump.
pub(super) fn pointers(dumps: &[&[u8]], word: usize) -> Vec<usize> {
    let Some(length) = dumps.iter().map(|dump| dump.len()).min() else { return Vec::new() };
    let is_pointer = |dump: &&[u8], at: usize| {
        let value = number(dump, at, word).unwrap_or(0);
        if word == 8 {
            // With page tables of five levels more bits than with four are part of the address.
            value >> 56 == 0xff && value < u64::MAX - 4096
        } else {
            value >> 30 == 3
        }
    };
    (0..length).step_by(word).filter(|at| dumps.iter().all(|dump| is_pointer(dump, *at))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_found_where_every_dump_has_it() {
        let (one, two) = ([9, 1, 2, 9, 1, 2, 9, 9], [1, 3, 4, 9, 3, 4, 3, 4]);
        let dumps = [(&one[..], &[1, 2][..]), (&two[..], &[3, 4][..])];
        assert_eq!(matching_offsets(&dumps, 1), [1, 4]);
        assert_eq!(matching_offsets(&dumps, 2), [4]);
        assert_eq!(first(&dumps, 1, "it"), Ok(1));
        let absent = first(&[(&one[..], &[7][..])], 1, "a seven");
        assert_eq!(absent, Err("a seven is nowhere in 1 dumps".into()));
        assert_eq!(matching_offsets(&[], 1), [0; 0]);
    }

    #[test]
    fn pointers_are_addresses_of_the_kernel() {
        let words = [0xffff_8880_0000_1000_u64, 5, 0xff11_0000_0010_0000, u64::MAX];
        let dump: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
        assert_eq!(pointers(&[&dump], 8), [0, 16]);
    }

    #[test]
    fn numbers_beyond_the_end_are_none() {
        assert_eq!(number(&[1, 0, 0], 0, 2), Some(u64::from(u16::from_ne_bytes([1, 0]))));
        assert_eq!(number(&[1, 0, 0], 2, 2), None);
    }
}
