//! The Linux audit framework: [`rules`] in auditctl's language and the kernel's, and the [`names`]
//! of the numbers that both and the kernel's records use.

pub mod names;
pub mod rules;
