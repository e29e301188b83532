//! Which system calls, or io_uring operations, a rule is about.

use super::layout::MASK_WORDS;

/// One bit for each number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Mask([u32; MASK_WORDS]);

/// Bits that are no system calls but classes of them, which the kernel replaces by their members.
const CLASSES: u32 = 16;

// === impl Mask ===

impl Mask {
    /// Largest number plus one.
    pub const END: u32 = MASK_WORDS as u32 * 32;

    /// No call.
    pub const NONE: Self = Self([0; MASK_WORDS]);

    /// The mask of all calls.
    pub const ALL: Self = {
        let mut words = [u32::MAX; MASK_WORDS];
        words[MASK_WORDS - 1] = u32::MAX >> CLASSES;
        Self(words)
    };

    /// From the words of a rule; bit 0 of word 0 is call 0.
    pub fn from_words(words: [u32; MASK_WORDS]) -> Self {
        Self(words)
    }

    /// The mask as words of a rule.
    pub fn words(&self) -> &[u32; MASK_WORDS] {
        &self.0
    }

    /// Adds a call; `false` for a number that no rule can name.
    #[must_use = "a number that is too large is not added"]
    pub fn insert(&mut self, number: u32) -> bool {
        match self.0.get_mut((number / 32) as usize) {
            Some(word) => {
                *word |= 1 << (number % 32);
                true
            }
            None => false,
        }
    }

    /// Adds the calls of another.
    pub fn union(&mut self, other: &Self) {
        for (word, more) in self.0.iter_mut().zip(other.0) {
            *word |= more;
        }
    }

    /// Whether the mask contains every call.
    pub fn is_all(&self) -> bool {
        self.0.iter().take(MASK_WORDS - 1).all(|word| *word == u32::MAX)
    }

    /// Whether the mask contains no call.
    pub fn is_empty(&self) -> bool {
        *self == Self::NONE
    }

    /// The calls in it, in order.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        (0..Self::END).filter(|number| {
            self.0.get((number / 32) as usize).is_some_and(|word| word & (1 << (number % 32)) != 0)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_numbers_up_to_its_end() {
        let mut mask = Mask::NONE;
        assert!(mask.insert(0) && mask.insert(33) && mask.insert(2047));
        assert!(!mask.insert(2048) && !mask.insert(u32::MAX));
        assert_eq!(mask.iter().collect::<Vec<_>>(), [0, 33, 2047]);
        assert!(!mask.is_all() && Mask::ALL.is_all() && Mask::NONE.is_empty());
    }
}
