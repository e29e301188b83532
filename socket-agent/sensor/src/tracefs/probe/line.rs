//! Lines for `kprobe_events`. Only syntax that kernel 3.10 accepts: registers, memory behind them,
//! unsigned integers.

use super::{Abi, Field};
use crate::tracefs::offsets::{Member, Offsets};

/// Longest name and expression of one argument that the kernel takes (`MAX_ARGSTR_LEN`).
const LONGEST: usize = 63;
/// Most arguments (`MAX_TRACE_ARGS`).
const MOST: usize = 128;

/// A line in the making: the values that are to be fetched.
#[derive(Clone, Debug)]
pub(in crate::tracefs) struct Line<'o> {
    abi: Abi,
    offsets: &'o Offsets,
    arguments: Vec<String>,
}

/// Start of a chain of members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::tracefs) struct Base(pub(in crate::tracefs) String);

impl<'o> Line<'o> {
    pub(in crate::tracefs) fn new(abi: Abi, offsets: &'o Offsets) -> Self {
        Self { abi, offsets, arguments: Vec::new() }
    }

    /// An argument of the function.
    pub(in crate::tracefs) fn argument(&self, index: usize) -> Option<Base> {
        self.abi.argument(index).map(|register| Base(register.to_owned()))
    }

    /// Where the caller's address is at the entry of a function.
    pub(in crate::tracefs) fn return_address(&self) -> &'static str {
        self.abi.return_address()
    }

    /// Offset of a member, if it is known.
    pub(in crate::tracefs) fn offset(&self, member: Member) -> Option<i64> {
        self.offsets.get(member).map(|layout| layout.offset.into())
    }

    /// Fetches the start of a task: nanoseconds, called `real_start_time` before 5.5, or, before 3.17, seconds
    /// and, in a field of their own, nanoseconds.
    pub(in crate::tracefs) fn start(&mut self, [whole, nanos]: [Field; 2], task: &Base) -> bool {
        let Some(seconds) = self.offset(Member::TaskStartSeconds) else {
            return self.member(whole, task, &[Member::TaskStart])
                || self.member(whole, task, &[Member::TaskRealStart]);
        };
        self.at(&whole.name(), task, seconds, 8) && self.at(&nanos.name(), task, seconds + 8, 8)
    }

    /// What a chain of pointers leads to; `None` if the offset of one is not known.
    pub(in crate::tracefs) fn behind(&self, base: &Base, chain: &[Member]) -> Option<Base> {
        chain.iter().try_fold(base.clone(), |base, member| {
            let layout = self.offsets.get(*member)?;
            Some(Base(format!("+{}({})", layout.offset, base.0)))
        })
    }

    /// Fetches a register or a pointer.
    pub(in crate::tracefs) fn word(&mut self, field: Field, base: &Base) -> bool {
        self.push(&field.name(), &base.0, self.abi.word)
    }

    /// Fetches a word of the stack.
    pub(in crate::tracefs) fn word_of_stack(&mut self, index: usize) -> bool {
        self.push(&Field::Stack.numbered(index), &format!("$stack{index}"), self.abi.word)
    }

    /// Fetches what an expression names, `size` bytes of it.
    pub(in crate::tracefs) fn raw(&mut self, name: &str, text: &str, size: u8) -> bool {
        self.push(name, text, size)
    }

    /// Fetches the last member of a chain that begins at `base`.
    pub(in crate::tracefs) fn member(
        &mut self,
        field: Field,
        base: &Base,
        chain: &[Member],
    ) -> bool {
        let size = chain.last().and_then(|last| self.offsets.get(*last)).map(|layout| layout.size);
        let (Some(size), Some(layout)) = (size, self.behind(base, chain)) else { return false };
        self.push(&field.name(), &layout.0, if matches!(size, 1 | 2 | 4) { size } else { 8 })
    }

    /// Fetches memory at a constant distance from what `base` names, in words of eight bytes.
    pub(in crate::tracefs) fn words(
        &mut self,
        field: Field,
        base: &Base,
        distance: i64,
        count: usize,
    ) -> bool {
        (0..count).all(|index| {
            let at = distance + 8 * i64::try_from(index).unwrap_or(0);
            self.push(&field.numbered(index), &format!("{at:+}({})", base.0), 8)
        })
    }

    /// Fetches `size` bytes at a constant distance from what `base` names.
    pub(in crate::tracefs) fn at(
        &mut self,
        name: &str,
        base: &Base,
        distance: i64,
        size: u8,
    ) -> bool {
        self.push(name, &format!("{distance:+}({})", base.0), size)
    }

    fn push(&mut self, name: &str, expression: &str, size: u8) -> bool {
        let text = format!("{name}={expression}:u{}", u32::from(size) * 8);
        if text.len() > LONGEST || self.arguments.len() >= MOST {
            return false;
        }
        self.arguments.push(text);
        true
    }

    /// The whole line: the kind of probe, its group and name, what it is on, and what it fetches.
    pub(in crate::tracefs) fn text(&self, kind: &str, probe: &str, function: &str) -> String {
        let mut line = format!("{kind}:{probe} {function}");
        for argument in &self.arguments {
            line.push(' ');
            line.push_str(argument);
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tracefs::offsets::MemberLayout;

    fn offsets() -> Offsets {
        let mut offsets = Offsets::default();
        offsets.set(Member::SkcNet, MemberLayout { offset: 48, size: 8 });
        offsets.set(Member::NetInum, MemberLayout { offset: 136, size: 4 });
        offsets.set(Member::SkcState, MemberLayout { offset: 18, size: 1 });
        offsets
    }

    #[test]
    fn members_are_fetched_through_pointers_with_their_size() {
        let offsets = offsets();
        let abi = Abi::of_this_machine().unwrap();
        let mut line = Line::new(abi, &offsets);
        let sock = Base("%di".into());
        assert!(line.word(Field::Sock, &sock));
        assert!(line.member(Field::State, &sock, &[Member::SkcState]));
        assert!(line.member(Field::Netns, &sock, &[Member::SkcNet, Member::NetInum]));
        assert!(!line.member(Field::Err, &sock, &[Member::SkErr]));
        assert_eq!(
            line.text("p", "group/event", "tcp_set_state"),
            "p:group/event tcp_set_state sock=%di:u64 state=+18(%di):u8 netns=+136(+48(%di)):u32"
        );
    }

    #[test]
    fn memory_is_fetched_in_words_around_a_pointer() {
        let offsets = offsets();
        let mut line = Line::new(Abi::of_this_machine().unwrap(), &offsets);
        assert!(line.words(Field::Window, &Base("+8(%si)".into()), -8, 2));
        let text = line.text("p", "g/e", "f");
        assert_eq!(text, "p:g/e f window=-8(+8(%si)):u64 window_1=+0(+8(%si)):u64");
    }

    #[test]
    fn what_the_kernel_would_refuse_is_left_out() {
        let offsets = offsets();
        let mut line = Line::new(Abi::of_this_machine().unwrap(), &offsets);
        assert!(!line.at("name", &Base("+1(".repeat(30)), 0, 8));
        assert!(!line.words(Field::Window, &Base("%si".into()), 0, MOST + 1));
        assert_eq!(line.text("p", "g/e", "f").split(' ').count(), 2 + MOST);
    }
}
