//! Documents on their way to a server.

use pipeline::{Backoff, Delivery, Failure, Output};

use super::{
    Options,
    client::{Answer, Client, command},
    host::Host,
};
use crate::{
    codec::{Codec, time_of},
    format::Format,
};

/// Documents as items of a list, or as messages of a channel.
///
/// Each is there at least once: one whose answer was lost is sent again.
#[derive(Debug)]
pub(crate) struct Redis {
    name: String,
    options: Options,
    hosts: Vec<Host>,
    /// The host that is used, or tried next.
    current: usize,
    key: Format,
    codec: Codec,
    client: Option<Client>,
}

/// A command, with the documents that it delivers.
#[derive(Debug)]
struct Command {
    key: Vec<u8>,
    documents: Vec<(usize, Vec<u8>)>,
}

// === impl Redis ===

impl Redis {
    pub(crate) fn new(options: Options, hosts: Vec<Host>, key: Format, codec: Codec) -> Self {
        let shown: Vec<String> = hosts.iter().map(ToString::to_string).collect();
        let name = format!("redis {}", shown.join(", "));
        Self { name, options, hosts, current: 0, key, codec, client: None }
    }

    /// The connection, made anew if there is none: to the first host that takes one.
    fn client(&mut self) -> Result<&mut Client, Failure> {
        let mut failure = String::new();
        for _ in 0..self.hosts.len() {
            if self.client.is_some() {
                break;
            }
            let Some(host) = self.hosts.get(self.current) else { break };
            match Client::connect(host, &self.options) {
                Ok(client) => self.client = Some(client),
                Err(error) => {
                    failure = error;
                    self.next_host();
                }
            }
        }
        self.client.as_mut().ok_or_else(|| Failure::retry(failure))
    }

    /// Gives up the connection; the next try is with another host.
    fn next_host(&mut self) {
        self.client = None;
        self.current = (self.current + 1) % self.hosts.len().max(1);
    }

    /// Commands for the next documents. What has no key or cannot be encoded is refused.
    fn commands(&self, delivery: &mut Delivery) -> Vec<Command> {
        let mut commands: Vec<Command> = Vec::new();
        let mut refused = None;
        let most = self.options.bulk_max_size as usize;
        let pending: Vec<_> = delivery.pending().take(most).collect();
        for (index, document) in pending {
            let mut text = Vec::with_capacity(document.len());
            let key = self.key_of(&document);
            let encoded = self.codec.write(&document, &mut text);
            match key.and_then(|key| encoded.map(|()| key)) {
                Ok(key) => match commands.last_mut() {
                    Some(last) if last.key == key && !self.options.is_channel => {
                        last.documents.push((index, text));
                    }
                    _ => commands.push(Command { key, documents: vec![(index, text)] }),
                },
                Err(error) => {
                    delivery.refuse(index);
                    refused.get_or_insert(error);
                }
            }
        }
        if let Some(reason) = refused {
            log::warn!(
                target: "output",
                "{}: documents without what its key or codec needs are refused: {reason}",
                self.name
            );
        }
        commands
    }

    fn key_of(&self, document: &[u8]) -> Result<Vec<u8>, String> {
        let mut key = Vec::new();
        let mut parsed = if self.key.is_constant() {
            ecs::Document::default()
        } else {
            ecs::Document::parse(document).map_err(|error| error.to_string())?
        };
        let time = time_of(&mut parsed);
        self.key.write(&mut parsed, time, &mut key).map_err(|error| error.to_string())?;
        Ok(key)
    }

    fn write(&self, commands: &[Command]) -> Vec<u8> {
        let verb: &[u8] = if self.options.is_channel { b"PUBLISH" } else { b"RPUSH" };
        let mut out = Vec::new();
        for Command { key, documents } in commands {
            let texts = documents.iter().map(|(_, text)| text.as_slice());
            command([verb, key].into_iter().chain(texts), &mut out);
        }
        out
    }
}

impl Output for Redis {
    fn name(&self) -> &str {
        &self.name
    }

    fn publish(&mut self, delivery: &mut Delivery) -> Result<(), Failure> {
        while !delivery.is_done() {
            let commands = self.commands(delivery);
            let out = self.write(&commands);
            let client = self.client()?;
            let mut refusal = None;
            let mut lost = client.send(&out).err();
            for Command { documents, .. } in &commands {
                if lost.is_some() {
                    break;
                }
                match client.receive() {
                    Ok(Answer::Value(_)) => {
                        documents.iter().for_each(|(index, _)| delivery.take(*index));
                    }
                    Ok(Answer::Error(error)) => refusal = Some(error),
                    Err(error) => lost = Some(error),
                }
            }
            if let Some(error) = lost {
                let message = client.lost(&error);
                self.next_host();
                return Err(Failure::retry(message));
            }
            if let Some(error) = refusal {
                self.next_host();
                return Err(Failure::retry(format!(
                    "the server refuses: {error}; look after the server, or its key"
                )));
            }
        }
        Ok(())
    }

    fn backoff(&self) -> Backoff {
        Backoff::new(
            self.options.backoff_init,
            self.options.backoff_max.max(self.options.backoff_init),
        )
    }
}
