//! Addresses of servers.

use std::fmt;

use crate::options::Secret;

/// The port of a server where none is written.
const PORT: u16 = 6379;

/// A server, with credentials if its address has some.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Host {
    pub(crate) name: String,
    pub(crate) port: u16,
    pub(crate) username: Option<String>,
    pub(crate) password: Option<Secret>,
}

impl Host {
    /// Reads an address.
    ///
    /// # Errors
    ///
    /// What is wrong and what is allowed; without the password that it may hold.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if text.starts_with("rediss://") {
            return Err("output.redis.hosts has rediss://, but connections are not encrypted; put a proxy such as \
                        stunnel before the server"
                .to_owned());
        }
        let rest = text.strip_prefix("redis://").unwrap_or(text).trim_end_matches('/');
        let (credentials, address) = match rest.rsplit_once('@') {
            Some((credentials, address)) => (Some(credentials), address),
            None => (None, rest),
        };
        let wrong = || {
            format!(
                "output.redis.hosts has {address:?}; allowed: HOST, HOST:PORT or \
                 redis://USER:PASSWORD@HOST:PORT"
            )
        };
        let (name, port) = split(address).ok_or_else(wrong)?;
        if name.is_empty() || name.contains(['/', ' ']) {
            return Err(wrong());
        }
        let (username, password) =
            match credentials.map(|it| it.split_once(':').unwrap_or(("", it))) {
                Some((user, password)) => {
                    ((!user.is_empty()).then(|| user.to_owned()), Some(Secret::new(password)))
                }
                None => (None, None),
            };
        Ok(Self { name: name.to_owned(), port, username, password })
    }
}

/// Name and port; brackets around an IPv6 address.
fn split(address: &str) -> Option<(&str, u16)> {
    if let Some(rest) = address.strip_prefix('[') {
        let (name, rest) = rest.split_once(']')?;
        let port = rest.strip_prefix(':').map_or(Some(PORT), |port| port.parse().ok())?;
        return Some((name, port));
    }
    match address.rsplit_once(':') {
        // An IPv6 address without brackets.
        Some((name, _)) if name.contains(':') => Some((address, PORT)),
        Some((name, port)) => Some((name, port.parse().ok()?)),
        None => Some((address, PORT)),
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, port, username: _, password: _ } = self;
        if name.contains(':') { write!(f, "[{name}]:{port}") } else { write!(f, "{name}:{port}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_apart() {
        for (text, shown, user) in [
            ("h", "h:6379", None),
            ("h:1", "h:1", None),
            ("redis://h", "h:6379", None),
            ("redis://u:p@h:1/", "h:1", Some("u")),
            ("redis://:p@[::1]:2", "[::1]:2", None),
            ("::1", "[::1]:6379", None),
        ] {
            let host = Host::parse(text).unwrap();
            assert_eq!((host.to_string().as_str(), host.username.as_deref()), (shown, user));
            assert_eq!(host.password.is_some(), text.contains('@'), "{text}");
        }
        for (text, reason) in [
            ("rediss://h", "not encrypted"),
            ("h:port", "allowed: HOST"),
            ("redis://u:secret@", "allowed: HOST"),
            ("h/path", "allowed: HOST"),
        ] {
            let error = Host::parse(text).unwrap_err();
            assert!(error.contains(reason) && !error.contains("secret"), "{error}");
        }
    }
}
