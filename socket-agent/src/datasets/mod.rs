//! The datasets: what this agent can observe, each in a folder of its own.

mod auditd;
mod dataset;
mod socket;

use metrics::Metric;

pub use dataset::Configured;
pub(crate) use dataset::{Module, ModuleReader, Needs, Registration, Source};

/// All of them, in the order of the documentation. A new one is a folder and a line here.
#[rustfmt::skip]
pub(crate) static DATASETS: &[Registration] = &[
    Registration::of::<socket::Socket>(),
    Registration::of::<auditd::Auditd>(),
];

/// What datasets count beside the parts that they are made of.
pub(crate) const METRICS: &[Metric] = socket::metrics::METRICS;

/// The dataset of this name.
pub(crate) fn named(name: &str) -> Option<&'static Registration> {
    DATASETS.iter().find(|dataset| dataset.name == name)
}

/// The datasets of a module that has several.
pub(crate) fn in_module(module: &'static str) -> impl Iterator<Item = &'static Registration> {
    DATASETS.iter().filter(move |dataset| dataset.module == Module::Shared(module))
}
