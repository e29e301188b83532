//! What the flow engine and the names from DNS count.

use metrics::Metric;

use crate::{EngineCounters, dns::DnsCounters};

metrics::metrics! {
    /// Those of flows and of names from DNS.
    pub METRICS;
    REPORTED = Total { name: "reported", unit: "flows", counts: "flow records made" };
    LATE_AFTER_REPORT = Loss {
        name: "late_after_report",
        unit: "packets",
        counts: "late packets that were handed over after their flow was reported",
        missing: "those packets",
        remedy: "raise `socket.flow_termination_timeout`",
    };
    DNS_ANSWERS = Total {
        name: "dns_answers",
        unit: "answers",
        counts: "DNS answers with addresses",
    };
    DNS_CUT = Loss {
        name: "dns_cut",
        unit: "answers",
        counts: "answers that went on behind what was captured",
        missing: "addresses in the part that is missing",
        remedy: "raise `socket.dns.af_packet.snaplen`",
    };
    DNS_SEGMENTS_LOST = Loss {
        name: "dns_segments_lost",
        unit: "segments",
        counts: "TCP segments from DNS servers that could not be put together: the connection is \
            older than the agent, one of more than 256 at a time, or segments are missing",
        missing: "the names of those answers",
        remedy: "see `dns_dropped` and `dns_cut`",
    };
    DNS_QUESTIONS_EVICTED = Loss {
        name: "dns_questions_evicted",
        unit: "questions",
        counts: "questions that gave way to others before their answer came; 16,384 are \
            remembered",
        missing: "the names of those answers",
        remedy: "none: the number is fixed",
    };
    DNS_NAMES_EVICTED = Loss {
        name: "dns_names_evicted",
        unit: "names",
        counts: "names that gave way to others before they had expired: more than \
            `socket.dns.names`, or than 64 of one address",
        missing: "those names, in flows that begin later",
        remedy: "raise `socket.dns.names`",
    };
    DNS_ANCESTORS_EVICTED = Notice {
        name: "dns_ancestors_evicted",
        unit: "processes",
        counts: "running processes whose parent was forgotten; 32,768 are remembered",
        missing: "`inherited` names become `host` names",
        remedy: "none: the number is fixed",
    };
    DNS_NETWORKS_UNKNOWN = Notice {
        name: "dns_networks_unknown",
        unit: "looks",
        counts: "times that it could not be found out how a network namespace reaches a private \
            address that a process in another has asked for: it is gone or not to be entered, or \
            such looks had taken more than a twentieth of the time",
        missing: "a `host` or `inherited` name, in flows of one of the two namespaces",
        remedy: "run the agent with `CAP_SYS_ADMIN` in the host's pid namespace",
    };
    DNS_UNCLAIMED = Notice {
        name: "dns_unclaimed",
        unit: "answers",
        counts: "answers for which no socket of this host was found within twenty seconds, or \
            before others needed their place: those to other hosts that this one serves or \
            forwards, or whose flow found a table full",
        missing: "their names",
        remedy: "see `flow_table_full` and docs/dns.md",
    };
    DNS_UNSEEN = Loss {
        name: "dns_unseen",
        unit: "packets",
        counts: "packets that UDP sockets, now closed, received from port 53 beyond the messages \
            that were captured on their way: they found a ring full, or, with packet sockets, on \
            an interface that is not listened on or in a namespace whose ring was not open yet; \
            further fragments of a message count too",
        missing: "the names of those answers",
        remedy: "see `dns_dropped`, `dns_namespaces_missed`",
    };
    DNS_UNASKED = Notice {
        name: "dns_unasked",
        unit: "answers",
        counts: "answers to questions that were not seen: forged, or asked before the agent \
            started",
        missing: "their names: they are not believed",
        remedy: "see `dns_dropped`",
    };
    DNS_MALFORMED = Notice {
        name: "dns_malformed",
        unit: "packets",
        counts: "packets from or to port 53 that are no DNS messages",
        missing: "nothing",
        remedy: "find out who sends them",
    };
}

impl EngineCounters {
    /// The counters with their metrics.
    pub fn values(&self) -> [(&'static Metric, u64); 2] {
        let Self { reported, late_after_report } = *self;
        [(&REPORTED, reported), (&LATE_AFTER_REPORT, late_after_report)]
    }
}

impl DnsCounters {
    /// The counters with their metrics.
    pub fn values(&self) -> [(&'static Metric, u64); 11] {
        let Self {
            answers,
            cut,
            segments_lost,
            questions_evicted,
            names_evicted,
            ancestors_evicted,
            networks_unknown,
            unclaimed,
            unseen,
            unasked,
            malformed,
        } = *self;
        [
            (&DNS_ANSWERS, answers),
            (&DNS_CUT, cut),
            (&DNS_SEGMENTS_LOST, segments_lost),
            (&DNS_QUESTIONS_EVICTED, questions_evicted),
            (&DNS_NAMES_EVICTED, names_evicted),
            (&DNS_ANCESTORS_EVICTED, ancestors_evicted),
            (&DNS_NETWORKS_UNKNOWN, networks_unknown),
            (&DNS_UNCLAIMED, unclaimed),
            (&DNS_UNSEEN, unseen),
            (&DNS_UNASKED, unasked),
            (&DNS_MALFORMED, malformed),
        ]
    }
}
