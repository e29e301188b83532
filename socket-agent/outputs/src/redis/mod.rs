//! Redis: a list that somebody takes documents from, or a channel.

mod client;
mod host;
mod output;

use std::time::Duration;

use config::rows::{
    Bounds::{AboveZero, ZeroToo},
    Kind::{Choice, Count, Duration as Time, Switch, Text, Texts},
    Setting, used, without_meaning,
};
use pipeline::Output;

use self::{client::Client, host::Host, output::Redis};
use crate::{
    OpenError, OutputOptions, Wrong,
    codec::{self, CodecOptions, HasCodec},
    format::Format,
    options::Secret,
};

/// `output.redis`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Options {
    disabled: bool,
    hosts: Vec<String>,
    username: Option<String>,
    password: Option<Secret>,
    index: String,
    /// The list or the channel; `index` if it is not set.
    key: Option<String>,
    db: u32,
    is_channel: bool,
    timeout: Duration,
    backoff_init: Duration,
    backoff_max: Duration,
    /// Documents in a command, and between two answers.
    bulk_max_size: u32,
    codec: CodecOptions,
}

#[rustfmt::skip]
static ROWS: &[Setting<Options>] = &[
    used("output.redis.enabled", "true", Switch(|c, v| c.disabled = !v), "Whether this output is used."),
    used("output.redis.hosts", "", Texts(|c, v| c.hosts = v), "Servers as HOST, HOST:PORT or redis://USER:PASSWORD@HOST:PORT; the port is 6379 if none is written. One is used at a time, the next one when it fails."),
    used("output.redis.index", "socket-agent", Text(|c, v| c.index = v.to_owned()), "Key, where output.redis.key is not set."),
    used("output.redis.key", "", Text(|c, v| c.key = Some(v.to_owned())), "List or channel; may hold fields and times, as in %{[event.dataset]:none}-%{+yyyy.MM.dd}."),
    used("output.redis.username", "", Text(|c, v| c.username = Some(v.to_owned())), "User, for servers with access control lists; needs a password."),
    used("output.redis.password", "", Text(|c, v| c.password = Some(Secret::new(v))), "Password."),
    used("output.redis.db", "0", Count(0, 65_535, |c, v| c.db = v), "Number of the database."),
    used("output.redis.datatype", "list", Choice(&["list", "channel"], |c, v| c.is_channel = v == "channel"), "list appends documents to a list; channel publishes them, and who does not listen does not get them."),
    used("output.redis.bulk_max_size", "2048", Count(1, 65_536, |c, v| c.bulk_max_size = v), "Documents that are sent before an answer is waited for."),
    used("output.redis.timeout", "5s", Time(AboveZero, |c, v| c.timeout = v), "How long a connection or an answer is waited for."),
    used("output.redis.backoff.init", "1s", Time(AboveZero, |c, v| c.backoff_init = v), "Pause after the first failure; it doubles with each that follows."),
    used("output.redis.backoff.max", "60s", Time(ZeroToo, |c, v| c.backoff_max = v), "Longest pause."),
    without_meaning("output.redis.worker", "1", Count(1, 1024, |_, _| ()), "there is one connection"),
    without_meaning("output.redis.workers", "1", Count(1, 1024, |_, _| ()), "there is one connection"),
    without_meaning("output.redis.loadbalance", "true", Switch(|_, _| ()), "one host is used at a time"),
    codec::pretty("output.redis.codec.json.pretty"),
    codec::escape_html("output.redis.codec.json.escape_html"),
    codec::format("output.redis.codec.format.string"),
];

/// Options of Beats that would not be followed.
static REFUSED: &[(&str, &str)] = &[
    ("ssl", "connections are not encrypted; put a proxy such as stunnel before the server"),
    ("keys", "write one output.redis.key, which may hold fields"),
    ("max_retries", "documents are sent again until they are taken"),
    ("proxy_url", "connections go to the hosts themselves"),
    ("proxy_use_local_resolver", "there are no proxies"),
    ("queue", "all outputs share one queue of 16 MiB"),
];

impl Default for Options {
    fn default() -> Self {
        Self {
            disabled: false,
            hosts: Vec::new(),
            username: None,
            password: None,
            index: "socket-agent".to_owned(),
            key: None,
            db: 0,
            is_channel: false,
            timeout: Duration::from_secs(5),
            backoff_init: Duration::from_secs(1),
            backoff_max: Duration::from_secs(60),
            bulk_max_size: 2048,
            codec: CodecOptions::default(),
        }
    }
}

impl HasCodec for Options {
    fn codec(&mut self) -> &mut CodecOptions {
        &mut self.codec
    }
}

impl Options {
    fn hosts(&self) -> Result<Vec<Host>, Wrong> {
        if self.hosts.is_empty() {
            let reason = "output.redis has no hosts; write output.redis.hosts: [localhost]";
            return Err(Wrong { key: "hosts", reason: reason.to_owned() });
        }
        let parsed = self.hosts.iter().map(|text| Host::parse(text));
        parsed.collect::<Result<_, _>>().map_err(|reason| Wrong { key: "hosts", reason })
    }

    fn key(&self) -> Result<Format, Wrong> {
        let text = self.key.as_ref().unwrap_or(&self.index);
        Format::parse(text).map_err(|reason| Wrong { key: "key", reason })
    }
}

impl OutputOptions for Options {
    const NAME: &'static str = "redis";

    fn rows() -> &'static [Setting<Self>] {
        ROWS
    }

    fn refused() -> &'static [(&'static str, &'static str)] {
        REFUSED
    }

    fn check(&self) -> Result<(), Wrong> {
        if self.username.is_some() && self.password.is_none() {
            let reason = "output.redis.username has no password; write output.redis.password";
            return Err(Wrong { key: "username", reason: reason.to_owned() });
        }
        self.hosts()?;
        self.key()?;
        self.codec.codec().map(drop)
    }

    fn open(&self) -> Result<Box<dyn Output>, OpenError> {
        let other = |wrong: Wrong| OpenError::Other(wrong.reason);
        let hosts = self.hosts().map_err(other)?;
        let key = self.key().map_err(other)?;
        let codec = self.codec.codec().map_err(other)?;
        Ok(Box::new(Redis::new(self.clone(), hosts, key, codec)))
    }

    fn probe(&self) -> Result<Vec<String>, OpenError> {
        let hosts = self.hosts().map_err(|wrong| OpenError::Other(wrong.reason))?;
        let mut found = Vec::new();
        for host in &hosts {
            let version = Client::connect(host, self).and_then(|mut client| client.version());
            let version = version.map_err(OpenError::Other)?;
            found.push(format!("{host} is Redis {version}"));
        }
        Ok(found)
    }
}
