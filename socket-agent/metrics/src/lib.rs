//! Counters and gauges: each is declared once, next to the code that counts it, with its name, its unit,
//! whether it means loss, and what to do about that.
//!
//! Log lines, `docs/losses.md` and whatever else shows metrics are made from these declarations.
//!
//! ```
//! metrics::metrics! {
//!     /// What a queue counts.
//!     pub METRICS;
//!     QUEUE_FULL = Loss {
//!         name: "queue_full",
//!         unit: "records",
//!         counts: "records that found the queue full",
//!         missing: "those records",
//!         remedy: "raise `queue.size`",
//!     };
//!     QUEUED = Gauge { name: "queued", unit: "records", counts: "records in the queue" };
//! }
//!
//! let mut values = metrics::Values::default();
//! values.add(&QUEUE_FULL, 3);
//! assert_eq!(values.get("queue_full"), Some(3));
//! assert_eq!(METRICS.len(), 2);
//! ```

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod values;

pub use values::Values;

/// A counter or a gauge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric {
    /// The name in logs, unique in the agent: lower case, words joined by `_`.
    pub name: &'static str,
    /// Meaning of a value above zero.
    pub class: Class,
    /// What one of it is, in the plural: `packets`, `milliseconds`.
    pub unit: &'static str,
    /// What is counted or measured, as a phrase of Markdown in which `docs/NAME.md` is a page.
    pub counts: &'static str,
    /// What documents lack for it; only of [`Class::Loss`] and [`Class::Notice`].
    pub missing: &'static str,
    /// What the operator should do about it; only of these two.
    pub remedy: &'static str,
}

/// Classes of metrics, by the meaning of their values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// A counter: above zero, a packet, a flow, an event or its owner is missing from the documents.
    Loss,
    /// A counter of what loses nothing, but may explain something or announce a loss.
    Notice,
    /// A counter of what was done.
    Total,
    /// A value of this moment, which rises and falls.
    Gauge,
}

// === impl Metric ===

impl Metric {
    /// Values of the members that declarations leave out.
    #[doc(hidden)]
    pub const BLANK: Self =
        Self { name: "", class: Class::Total, unit: "", counts: "", missing: "", remedy: "" };

    /// Whether all is said that is to be said of its class.
    #[doc(hidden)]
    pub const fn is_complete(&self) -> bool {
        let explained = !self.missing.is_empty() && !self.remedy.is_empty();
        let bare = self.missing.is_empty() && self.remedy.is_empty();
        let of_class = match self.class {
            Class::Loss | Class::Notice => explained,
            Class::Total | Class::Gauge => bare,
        };
        of_class && !self.name.is_empty() && !self.unit.is_empty() && !self.counts.is_empty()
    }
}

/// Declares metrics as constants, and a list of them. That each says what its class asks for is checked by
/// the compiler.
#[macro_export]
macro_rules! metrics {
    (
        $(#[$about:meta])*
        $all_vis:vis $all:ident;
        $($vis:vis $id:ident = $class:ident { $($field:ident: $value:expr),+ $(,)? };)+
    ) => {
        $(
            #[doc = concat!("Metric: ", $crate::metrics!(@counts $($field: $value),+), ".")]
            #[allow(clippy::needless_update, reason = "a total leaves out what a loss says")]
            $vis const $id: $crate::Metric = $crate::Metric {
                class: $crate::Class::$class,
                $($field: $value,)+
                ..$crate::Metric::BLANK
            };
            const _: () = assert!($id.is_complete(), "a field is missing, or not one of this class");
        )+
        $(#[$about])*
        $all_vis const $all: &[$crate::Metric] = &[$($id),+];
    };
    (@counts name: $name:expr, unit: $unit:expr, counts: $counts:expr $(, $field:ident: $value:expr)*) => {
        $counts
    };
}
