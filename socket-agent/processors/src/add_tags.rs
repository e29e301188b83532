//! Tags for every document.

use config::rows::{
    Kind::{Text, Texts},
    Setting, used,
};
use ecs::{Document, Value};
use pipeline::Processor;

use crate::{ProcessorOptions, Wrong};

/// `add_tags`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Options {
    tags: Vec<String>,
    target: String,
}

#[rustfmt::skip]
static ROWS: &[Setting<Options>] = &[
    used("add_tags.tags", "", Texts(|c, v| c.tags = v), "Tags that are appended."),
    used("add_tags.target", "tags", Text(|c, v| c.target = v.to_owned()), "Field that holds the tags."),
];

impl Default for Options {
    fn default() -> Self {
        Self { tags: Vec::new(), target: "tags".to_owned() }
    }
}

impl ProcessorOptions for Options {
    const NAME: &'static str = "add_tags";

    fn rows() -> &'static [Setting<Self>] {
        ROWS
    }

    fn check(&self) -> Result<(), Wrong> {
        if self.tags.is_empty() {
            let reason = "add_tags has no tags; write add_tags.tags: [name]".to_owned();
            return Err(Wrong { key: "tags", reason });
        }
        Ok(())
    }

    fn build(&self) -> Box<dyn Processor> {
        Box::new(self.clone())
    }
}

impl Processor for Options {
    fn process(&mut self, document: &mut Document) -> bool {
        let added = self.tags.iter().map(|tag| Value::from(tag.as_str()));
        match document.find(&self.target) {
            Some(Value::List(tags)) => tags.extend(added),
            Some(Value::Text(tag)) => {
                let first = Value::Text(tag.clone());
                let tags = std::iter::once(first).chain(added).collect();
                // The field is there, so that all around it are objects.
                let _ = document.put(&self.target, Value::List(tags));
            }
            // What is no list of tags stays as it is.
            Some(_) => {}
            None => {
                let tags = added.collect();
                let _ = document.put(&self.target, Value::List(tags));
            }
        }
        true
    }
}
