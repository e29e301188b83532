//! What the resolver of names of users and groups counts.

use metrics::Metric;

use super::NameCounters;

metrics::metrics! {
    /// Those of names of users and groups.
    pub METRICS;
    NAMES_ASKED = Total {
        name: "names_asked",
        unit: "questions",
        counts: "numbers and names of users and groups that the name service was asked for, as \
            `/etc/passwd` or `/etc/group` does not have them",
    };
    NAMES_FOUND = Total {
        name: "names_found",
        unit: "questions",
        counts: "of these, the ones that it knew",
    };
    NAMES_DROPPED = Loss {
        name: "names_dropped",
        unit: "questions",
        counts: "numbers and names of users and groups for which the name service was not asked, \
            because 64 questions, or 16 about names, waited already",
        missing: "those names and numbers: such documents have the number or the name alone",
        remedy: "find out why the service is slow: `time getent passwd NUMBER`",
    };
}

impl NameCounters {
    /// The counters with their metrics.
    pub fn values(&self) -> [(&'static Metric, u64); 3] {
        let Self { asked, found, dropped } = *self;
        [(&NAMES_ASKED, asked), (&NAMES_FOUND, found), (&NAMES_DROPPED, dropped)]
    }
}
