//! Outputs, and `monitoring`, which has one of its own.

use super::general::QUEUE;
use config::rows::{Group, Known, later, pointless};

/// Outputs of Beats that do not run yet, and their keys below `output.`.
pub(in crate::settings) static OTHER_OUTPUTS: &[(&str, &[Group])] =
    &[("elasticsearch", ELASTICSEARCH), ("logstash", LOGSTASH), ("kafka", KAFKA)];

static ELASTICSEARCH: &[Group] = &[
    Group { prefix: "output.elasticsearch.", rows: HTTP },
    Group { prefix: "output.elasticsearch.", rows: INDEXING },
    Group { prefix: "output.elasticsearch.ssl.", rows: SSL },
    Group { prefix: "output.elasticsearch.kerberos.", rows: KERBEROS },
    Group { prefix: "output.elasticsearch.queue.", rows: QUEUE },
];

static LOGSTASH: &[Group] = &[
    Group { prefix: "output.logstash.", rows: LUMBERJACK },
    Group { prefix: "output.logstash.ssl.", rows: SSL },
    Group { prefix: "output.logstash.queue.", rows: QUEUE },
];

static KAFKA: &[Group] = &[
    Group { prefix: "output.kafka.", rows: KAFKA_KEYS },
    Group { prefix: "output.kafka.ssl.", rows: SSL },
    Group { prefix: "output.kafka.kerberos.", rows: KERBEROS },
    Group { prefix: "output.kafka.queue.", rows: QUEUE },
];

/// `monitoring`, which sends to Elasticsearch.
pub(in crate::settings) const MONITORING: &[Group] = &[
    Group { prefix: "monitoring.", rows: MONITORING_KEYS },
    Group { prefix: "monitoring.elasticsearch.", rows: HTTP },
    Group { prefix: "monitoring.elasticsearch.", rows: REPORTING },
    Group { prefix: "monitoring.elasticsearch.ssl.", rows: SSL },
    Group { prefix: "monitoring.elasticsearch.kerberos.", rows: KERBEROS },
];

static MONITORING_KEYS: &[Known] =
    &[later("enabled"), later("cluster_uuid"), later("cloud.id"), later("cloud.auth")];

static REPORTING: &[Known] = &[later("metrics.period"), later("state.period")];

/// How Elasticsearch is reached, whatever is sent.
#[rustfmt::skip]
static HTTP: &[Known] = &[
    later("enabled"),
    later("hosts"),
    later("protocol"),
    later("path"),
    later("username"),
    later("password"),
    later("api_key"),
    later("parameters"),
    later("headers"),
    later("proxy_url"),
    later("proxy_headers"),
    later("proxy_disable"),
    later("compression_level"),
    later("max_retries"),
    later("bulk_max_size"),
    later("backoff.init"),
    later("backoff.max"),
    later("timeout"),
    later("idle_connection_timeout"),
];

/// What Elasticsearch does with documents.
#[rustfmt::skip]
static INDEXING: &[Known] = &[
    later("preset"),
    later("index"),
    later("indices"),
    later("pipeline"),
    later("pipelines"),
    later("worker"),
    later("workers"),
    later("loadbalance"),
    later("escape_html"),
    later("allow_older_versions"),
    later("non_indexable_policy"),
    pointless("ilm", "Beats no longer read it here; setup.ilm is its successor"),
];

#[rustfmt::skip]
static LUMBERJACK: &[Known] = &[
    later("enabled"),
    later("hosts"),
    later("index"),
    later("worker"),
    later("workers"),
    later("loadbalance"),
    later("compression_level"),
    later("escape_html"),
    later("ttl"),
    later("pipelining"),
    later("slow_start"),
    later("backoff.init"),
    later("backoff.max"),
    later("max_retries"),
    later("bulk_max_size"),
    later("timeout"),
    later("proxy_url"),
    later("proxy_use_local_resolver"),
];

#[rustfmt::skip]
static KAFKA_KEYS: &[Known] = &[
    later("enabled"),
    later("hosts"),
    later("topic"),
    later("topics"),
    later("key"),
    later("partition.hash.reachable_only"),
    later("partition.hash.hash"),
    later("partition.hash.random"),
    later("partition.random.reachable_only"),
    later("partition.random.group_events"),
    later("partition.round_robin.reachable_only"),
    later("partition.round_robin.group_events"),
    later("username"),
    later("password"),
    later("sasl.mechanism"),
    later("version"),
    later("headers"),
    later("codec.json.pretty"),
    later("codec.json.escape_html"),
    later("codec.format.string"),
    later("metadata.retry.max"),
    later("metadata.retry.backoff"),
    later("metadata.refresh_frequency"),
    later("metadata.full"),
    later("worker"),
    later("max_retries"),
    later("backoff.init"),
    later("backoff.max"),
    later("bulk_max_size"),
    later("bulk_flush_frequency"),
    later("timeout"),
    later("broker_timeout"),
    later("channel_buffer_size"),
    later("keep_alive"),
    later("compression"),
    later("compression_level"),
    later("max_message_bytes"),
    later("required_acks"),
    later("client_id"),
];

/// TLS, below `ssl` of whatever connects.
#[rustfmt::skip]
pub(super) static SSL: &[Known] = &[
    later("enabled"),
    later("verification_mode"),
    later("supported_protocols"),
    later("certificate_authorities"),
    later("certificate"),
    later("key"),
    later("key_passphrase"),
    later("cipher_suites"),
    later("curve_types"),
    later("renegotiation"),
    later("ca_sha256"),
    later("ca_trusted_fingerprint"),
    later("restart_on_cert_change.enabled"),
    later("restart_on_cert_change.period"),
];

#[rustfmt::skip]
static KERBEROS: &[Known] = &[
    later("enabled"),
    later("auth_type"),
    later("keytab"),
    later("config_path"),
    later("service_name"),
    later("username"),
    later("password"),
    later("realm"),
    later("enable_krb5_fast"),
];
