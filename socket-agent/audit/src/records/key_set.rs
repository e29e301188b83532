//! Sets of names.

use super::Key;

/// Keys that a table speaks of.
#[derive(Debug)]
pub(crate) struct KeySet([bool; 256]);

impl KeySet {
    /// The set of these keys.
    pub(crate) const fn of(keys: &[Key]) -> Self {
        Self([false; 256]).and(keys)
    }

    /// And of these.
    pub(crate) const fn and(mut self, keys: &[Key]) -> Self {
        let mut index = 0;
        while index < keys.len() {
            self.0[keys[index].0 as usize] = true;
            index += 1;
        }
        self
    }

    /// Whether the set contains a key.
    #[inline]
    pub(crate) fn has(&self, key: Key) -> bool {
        self.0[usize::from(key.0)]
    }
}

/// Says of most keys that are not among those added that they are not: a bit stands for several.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Filter(u64);

impl Filter {
    #[inline]
    pub(super) fn add(&mut self, key: Key) {
        self.0 |= 1 << (key.0 % 64);
    }

    #[inline]
    pub(super) fn may_have(self, key: Key) -> bool {
        self.0 >> (key.0 % 64) & 1 != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_has_what_was_put_in() {
        let set = KeySet::of(&[Key::AUID, Key::SES]);
        assert!(set.has(Key::AUID) && set.has(Key::SES) && !set.has(Key::UID));
    }

    #[test]
    fn a_filter_forgets_nothing_and_rejects_most() {
        let mut filter = Filter::default();
        for number in 0..64 {
            assert!(!filter.may_have(Key(number)));
            filter.add(Key(number));
            assert!(filter.may_have(Key(number)) && filter.may_have(Key(number + 64)));
        }
    }
}
