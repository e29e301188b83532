//! An output that discards documents, for measurements.

use config::rows::{Kind::Switch, Setting, used};
use pipeline::{Delivery, Failure, Output};

use crate::{OpenError, OutputOptions};

/// `output.discard`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    disabled: bool,
}

/// An output that takes every document and keeps none.
#[derive(Debug)]
struct Discard;

#[rustfmt::skip]
static ROWS: &[Setting<Options>] = &[
    used("output.discard.enabled", "true", Switch(|c, v| c.disabled = !v), "Whether this output, which drops all documents, is used."),
];

impl OutputOptions for Options {
    const NAME: &'static str = "discard";

    fn rows() -> &'static [Setting<Self>] {
        ROWS
    }

    fn open(&self) -> Result<Box<dyn Output>, OpenError> {
        Ok(Box::new(Discard))
    }

    fn probe(&self) -> Result<Vec<String>, OpenError> {
        Ok(vec!["drops all documents".to_owned()])
    }
}

impl Output for Discard {
    fn name(&self) -> &str {
        "discard"
    }

    fn publish(&mut self, delivery: &mut Delivery) -> Result<(), Failure> {
        delivery.take_next(usize::MAX);
        Ok(())
    }
}
