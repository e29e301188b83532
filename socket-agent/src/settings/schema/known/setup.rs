//! `setup`: what Elasticsearch and Kibana are prepared with.

use super::outputs::SSL;
use config::rows::{Group, Known, later, pointless};

const BEFORE_DATA_STREAMS: &str = "it is about indices of before Elasticsearch had data streams";

/// Below `setup`, beside `kibana`.
#[rustfmt::skip]
pub(in crate::settings) static SETUP: &[Known] = &[
    later("dashboards.enabled"),
    later("dashboards.directory"),
    later("dashboards.url"),
    later("dashboards.file"),
    later("dashboards.beat"),
    later("dashboards.kibana_index"),
    later("dashboards.index"),
    later("dashboards.always_kibana"),
    later("dashboards.string_replacements"),
    later("dashboards.retry.enabled"),
    later("dashboards.retry.interval"),
    later("dashboards.retry.maximum"),
    later("template.enabled"),
    later("template.name"),
    later("template.pattern"),
    later("template.priority"),
    later("template.fields"),
    later("template.append_fields"),
    later("template.json.enabled"),
    later("template.json.path"),
    later("template.json.name"),
    later("template.json.data_stream"),
    later("template.overwrite"),
    later("template.settings"),
    later("template.settings.index"),
    later("template.settings.index.number_of_shards"),
    later("template.settings.index.codec"),
    later("template.settings._source"),
    later("template.settings._source.enabled"),
    pointless("template.type", BEFORE_DATA_STREAMS),
    later("ilm.enabled"),
    later("ilm.policy_name"),
    later("ilm.policy_file"),
    later("ilm.check_exists"),
    later("ilm.overwrite"),
    pointless("ilm.rollover_alias", BEFORE_DATA_STREAMS),
    pointless("ilm.pattern", BEFORE_DATA_STREAMS),
    later("dsl.enabled"),
    later("dsl.data_stream_pattern"),
    later("dsl.policy_file"),
    later("dsl.check_exists"),
    later("dsl.overwrite"),
];

static KIBANA_KEYS: &[Known] = &[
    later("host"),
    later("protocol"),
    later("username"),
    later("password"),
    later("api_key"),
    later("path"),
    later("space.id"),
    later("headers"),
];

/// `setup.kibana`.
pub(in crate::settings) const KIBANA: &[Group] = &[
    Group { prefix: "setup.kibana.", rows: KIBANA_KEYS },
    Group { prefix: "setup.kibana.ssl.", rows: SSL },
];
