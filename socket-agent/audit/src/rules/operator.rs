//! Operators: comparisons of a field with a value.

/// An operator of `-F` and `-C`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operator {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
    /// `&`: some of these bits are set.
    AnyBit,
    /// `&=`: all of these bits are set.
    AllBits,
}

/// Longer symbols before those that they begin with.
const OPERATORS: [(Operator, u32, &str); 8] = [
    (Operator::NotEqual, 0x3000_0000, "!="),
    (Operator::LessOrEqual, 0x5000_0000, "<="),
    (Operator::GreaterOrEqual, 0x6000_0000, ">="),
    (Operator::AllBits, 0x4800_0000, "&="),
    (Operator::Equal, 0x4000_0000, "="),
    (Operator::Less, 0x1000_0000, "<"),
    (Operator::Greater, 0x2000_0000, ">"),
    (Operator::AnyBit, 0x0800_0000, "&"),
];

// === impl Operator ===

impl Operator {
    /// `AUDIT_EQUAL` and so on.
    pub fn number(self) -> u32 {
        OPERATORS.iter().find(|row| row.0 == self).map_or(0, |row| row.1)
    }

    /// By `AUDIT_EQUAL` and so on.
    pub fn from_number(number: u32) -> Option<Self> {
        OPERATORS.iter().find(|row| row.1 == number).map(|row| row.0)
    }

    /// The operator as rules write it.
    pub fn symbol(self) -> &'static str {
        OPERATORS.iter().find(|row| row.0 == self).map_or("?", |row| row.2)
    }

    /// The first operator in `text`: what is before it, itself, what is after it.
    pub(super) fn split(text: &[u8]) -> Option<(&[u8], Self, &[u8])> {
        (0..text.len()).find_map(|at| {
            let (before, rest) = text.split_at(at);
            OPERATORS.iter().find_map(|(operator, _, symbol)| {
                Some((before, *operator, rest.strip_prefix(symbol.as_bytes())?))
            })
        })
    }

    /// Whether the operator compares single bits.
    pub(super) fn is_bitwise(self) -> bool {
        matches!(self, Self::AnyBit | Self::AllBits)
    }

    /// Whether it asks for the same or another value, not for a larger or smaller one.
    pub(super) fn is_equality(self) -> bool {
        matches!(self, Self::Equal | Self::NotEqual)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_at_the_first_operator() {
        let text = |text: &'static str| {
            let (field, operator, value) = Operator::split(text.as_bytes()).unwrap();
            (field.to_vec(), operator.symbol(), value.to_vec())
        };
        assert_eq!(text("auid>=1000"), (b"auid".to_vec(), ">=", b"1000".to_vec()));
        assert_eq!(text("a0&=0x4"), (b"a0".to_vec(), "&=", b"0x4".to_vec()));
        assert_eq!(text("path=/a!=b"), (b"path".to_vec(), "=", b"/a!=b".to_vec()));
        assert_eq!(text("=5"), (b"".to_vec(), "=", b"5".to_vec()));
        assert!(Operator::split(b"auid").is_none());
    }
}
