//! An object in the hands of the loader.

use crate::object::{Kind, Relocation};
use aya_obj::{Function, Object, btf::Btf};

/// `BPF_LD | BPF_IMM | BPF_DW`: takes two instructions.
pub(crate) const LOAD_IMMEDIATE: u8 = 0x18;
/// `BPF_ALU64 | BPF_MOV | BPF_K`
const MOVE_64: u8 = 0xb7;
/// `BPF_ALU | BPF_MOV | BPF_K`
const MOVE_32: u8 = 0xb4;

/// Result of a relocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Value(u64),
    /// An instruction that the verifier refuses, unless it sees that it is never reached.
    Poisoned,
}

/// The programs, before or after relocation.
pub(crate) struct Programs(Object);

impl Programs {
    /// As they are in the file.
    pub(crate) fn parse(object: &[u8]) -> Self {
        Self(Object::parse(object).unwrap())
    }

    /// With the functions that they call, as they are given to the kernel.
    pub(crate) fn linked(object: &[u8]) -> Self {
        let mut programs = Self::parse(object);
        let sections = programs.0.functions.keys().map(|(section, _)| *section).collect();
        programs.0.relocate_calls(&sections).unwrap();
        programs
    }

    /// Fitted to a kernel.
    pub(crate) fn fitted(object: &[u8], target: &[u8]) -> Self {
        let target = Btf::parse(target, object::Endianness::Little).unwrap();
        let mut programs = Self::parse(object);
        programs.0.relocate_btf(&target).unwrap();
        programs
    }

    /// Fitted to a kernel as the agent does it.
    pub(crate) fn fitted_by_the_agent(object: &[u8], target: &[u8]) -> Self {
        Self::parse(&sensor::ebpf::fit(object, target).unwrap())
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Function> {
        self.0.functions.values()
    }

    /// Names and types of the maps.
    pub(crate) fn maps(&self) -> impl Iterator<Item = (&str, u32)> {
        self.0.maps.iter().map(|(name, map)| (name.as_str(), map.map_type()))
    }

    /// The program that a relocation belongs to.
    pub(crate) fn function(&self, relocation: &Relocation) -> &Function {
        self.all()
            .find(|function| {
                let end = function.section_offset + function.instructions.len() * 8;
                function.section_index.0 == relocation.section_index
                    && (function.section_offset..end).contains(&relocation.at)
            })
            .unwrap_or_else(|| panic!("in no program: {relocation:?}"))
    }

    /// What the instruction puts into its register; `None` if it does anything else.
    pub(crate) fn immediate(&self, relocation: &Relocation) -> Option<u64> {
        let function = self.function(relocation);
        let index = (relocation.at - function.section_offset) / 8;
        let instruction = &function.instructions[index];
        match instruction.code {
            MOVE_32 => Some(u64::from(instruction.imm as u32)),
            MOVE_64 => Some(i64::from(instruction.imm) as u64),
            // The source register says whether it is a number, or a map and the like.
            LOAD_IMMEDIATE if instruction.src_reg() == 0 => {
                let high = function.instructions[index + 1].imm;
                Some(u64::from(instruction.imm as u32) | u64::from(high as u32) << 32)
            }
            _ => None,
        }
    }

    pub(crate) fn outcome(&self, relocation: &Relocation) -> Outcome {
        match self.immediate(relocation) {
            Some(value) => Outcome::Value(value),
            None if relocation.kind == Kind::Offset => Outcome::Poisoned,
            None => panic!("a question without an answer: {relocation:?}"),
        }
    }
}
