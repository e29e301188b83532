//! Documents without some fields.

use config::rows::{
    Kind::{Switch, Texts},
    Setting, used, without_meaning,
};
use ecs::Document;
use pipeline::Processor;

use crate::{ProcessorOptions, Wrong};

/// Fields that no document can be without.
const KEPT: [&str; 2] = ["@timestamp", "type"];

/// `drop_fields`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    fields: Vec<String>,
}

#[rustfmt::skip]
static ROWS: &[Setting<Options>] = &[
    used("drop_fields.fields", "", Texts(|c, v| c.fields = v), "Fields that are taken out, each with all below it; @timestamp stays."),
    without_meaning("drop_fields.ignore_missing", "false", Switch(|_, _| ()), "a field that a document lacks is passed over"),
];

impl ProcessorOptions for Options {
    const NAME: &'static str = "drop_fields";

    fn rows() -> &'static [Setting<Self>] {
        ROWS
    }

    fn check(&self) -> Result<(), Wrong> {
        let wrong = |reason: String| Err(Wrong { key: "fields", reason });
        if self.fields.is_empty() {
            return wrong(
                "drop_fields has no fields; write drop_fields.fields: [host.mac]".to_owned(),
            );
        }
        match self.fields.iter().find(|field| field.starts_with('/')) {
            Some(field) => wrong(format!(
                "drop_fields.fields holds {field}, a regular expression, which this version does not take; write \
                 the fields out"
            )),
            None => Ok(()),
        }
    }

    fn build(&self) -> Box<dyn Processor> {
        Box::new(self.clone())
    }
}

impl Processor for Options {
    fn process(&mut self, document: &mut Document) -> bool {
        for field in self.fields.iter().filter(|field| !KEPT.contains(&field.as_str())) {
            document.remove(field);
        }
        true
    }
}
