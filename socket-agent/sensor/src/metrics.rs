//! What the sensor itself counts, beside the programs' own counters.

metrics::metrics! {
    /// Those of the sensor.
    pub METRICS;
    pub(crate) UNKNOWN_RECORDS = Loss {
        name: "unknown_records",
        unit: "records",
        counts: "records of the ring of an unknown kind or length",
        missing: "whatever they held; it stays zero as long as programs and agent are of one \
            build",
        remedy: "report it",
    };
    pub(crate) PROGRAMS_MISSED = Loss {
        name: "programs_missed",
        unit: "runs",
        counts: "runs that the kernel skipped because the program, or another probe, was running \
            on that CPU (5.12; `cgroup` packet programs are never skipped); of hooks that are \
            there twice at most those that both copies missed; with `tracefs` probes that were \
            hit while another ran, without reads that met no memory, which kernels before 5.14 \
            count with them; the log tells at the end which programs were skipped",
        missing: "the packet or event of each run",
        remedy: "use the `cgroup` set",
    };
    pub(crate) OWNERS_MISSED = Notice {
        name: "owners_missed",
        unit: "runs",
        counts: "runs that the kernel skipped, as in `programs_missed`, of hooks on accept, \
            receipts and, where cgroup v2 is mounted, UDP ports taken, which only find out whose \
            a socket is",
        missing: "nothing, unless another process has taken over a socket and does not send: \
            until its next receipt the owner is who opened it or listened",
        remedy: "none",
    };
    pub(crate) RECORDS_LOST = Loss {
        name: "records_lost",
        unit: "records",
        counts: "where records leave by perf rings, those that found their CPU's ring full, and \
            that kernels before 5.1 tell no program of: closed flows, late packets, sockets, and \
            processes, as one number",
        missing: "what they were of",
        remedy: "raise `socket.ring_size_exponent`, give the agent more CPU",
    };
    pub(crate) RECORDS_DISORDERED = Notice {
        name: "records_disordered",
        unit: "records",
        counts: "records by perf rings that came after younger ones had been taken in",
        missing: "nothing, unless it was that of a process",
        remedy: "raise `socket.perf_queue_size`",
    };
    pub(crate) SAMPLES_LOST = Loss {
        name: "samples_lost",
        unit: "records",
        counts: "records of the `tracefs` set that found their CPU's ring full; per CPU in the \
            log",
        missing: "the packet or event of each",
        remedy: "raise `socket.ring_size_exponent`, give the agent more CPU",
    };
    pub(crate) SAMPLES_DISORDERED = Notice {
        name: "samples_disordered",
        unit: "records",
        counts: "records of the `tracefs` set that came after younger ones had been taken in",
        missing: "nothing, unless it was the beginning or end of a flow",
        remedy: "raise `socket.perf_queue_size`",
    };
    pub(crate) DNS_NAMESPACES_MISSED = Loss {
        name: "dns_namespaces_missed",
        unit: "namespaces",
        counts: "with packet sockets, network namespaces without a ring: more than \
            `socket.dns.af_packet.namespaces`, or not to be entered (the log tells)",
        missing: "names asked for there, unless their packets pass another namespace",
        remedy: "raise `socket.dns.af_packet.namespaces`, or let cgroup programs look \
            (docs/dns.md)",
    };
}
