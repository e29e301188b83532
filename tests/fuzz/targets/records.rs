//! Audit logs of any bytes: every document is JSON, none is lost, and a record that is read into
//! used memory is the same as one that is read anew.
#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use socket_agent::audit::{
    document::{Options, Schema},
    normalise::NoNames,
    reassembly,
    records::{Record, parse_line},
    stream::{NoContext, Stream},
};

fuzz_target!(|log: &[u8]| {
    for schema in [Schema::Ecs, Schema::Kernel] {
        let options = Options { schema, include_raw_message: true, include_warnings: true };
        let limits = reassembly::Options { max_in_flight: 4, ..Default::default() };
        let mut stream = Stream::new(limits, options, Box::new(NoNames));
        let mut out = Vec::new();
        let mut used = Record::default();
        for (second, line) in log.split(|byte| *byte == b'\n').enumerate() {
            let now = Duration::from_secs(second as u64);
            let pushed = stream.push_line(line, now, &mut NoContext, &mut out);
            assert_eq!(pushed.is_ok(), parse_line(line).is_ok());
            if used.read_line(line).is_ok() {
                let new = parse_line(line).expect("it was one just now");
                assert!(new.fields().eq(used.fields()) && new.added().eq(used.added()));
            }
            stream.tick(now, &mut NoContext, &mut out);
        }
        stream.finish(&mut NoContext, &mut out);
        let documents = out.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let mut count = 0;
        for document in documents {
            let _: serde_json::Value = serde_json::from_slice(document).expect("JSON");
            count += 1;
        }
        assert_eq!(count, stream.totals().counters.events);
    }
});
