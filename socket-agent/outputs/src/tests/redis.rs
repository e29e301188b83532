//! The Redis output and a real server.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::Instant,
};

use super::*;

/// A server on a port of its own, which keeps what it has taken in a directory. It ends when it is dropped.
struct Server {
    child: Child,
    port: u16,
}

impl Server {
    /// `None` where there is no `redis-server`.
    fn start(directory: &Path, port: u16, more: &[&str]) -> Option<Self> {
        let mut command = Command::new("redis-server");
        command.args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--dir"]).arg(directory);
        command.args(["--appendonly", "yes", "--appendfsync", "always", "--save", ""]).args(more);
        let mut child = match command.stdout(Stdio::null()).stderr(Stdio::null()).spawn() {
            Ok(child) => child,
            Err(_) => {
                println!("skipped: there is no redis-server; Debian's package redis-server has it");
                return None;
            }
        };
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            assert!(child.try_wait().unwrap().is_none(), "the server has ended");
            assert!(Instant::now() < deadline, "the server does not listen");
            thread::sleep(Duration::from_millis(20));
        }
        Some(Self { child, port })
    }

    /// Asks for one thing; the lines of the answer.
    fn ask(&self, line: &str, lines: usize) -> Vec<String> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(format!("{line}\r\n").as_bytes()).unwrap();
        BufReader::new(stream).lines().take(lines).map(Result::unwrap).collect()
    }

    fn length(&self, key: &str) -> usize {
        self.ask(&format!("LLEN {key}"), 1)[0].trim_start_matches(':').parse().unwrap()
    }

    /// Items of a list.
    fn items(&self, key: &str) -> Vec<String> {
        let lines = self.ask(&format!("LRANGE {key} 0 -1"), 1 + 2 * self.length(key));
        lines.into_iter().skip(2).step_by(2).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both do nothing for one that has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that was free a moment ago.
fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

fn redis_output(options: &str) -> Configured {
    let (outputs, problems, _) = read(&format!("redis: {{{options}}}"));
    assert!(problems.is_empty(), "{problems:?}");
    outputs.into_iter().next().unwrap()
}

fn expected(numbers: std::ops::Range<u64>) -> Vec<String> {
    numbers.map(|number| line(number).trim_end().to_owned()).collect()
}

#[test]
fn a_list_has_every_document_once_and_in_order() {
    let directory = tempfile::tempdir().unwrap();
    let Some(server) = Server::start(directory.path(), free_port(), &[]) else { return };
    let output =
        redis_output(&format!("hosts: 127.0.0.1:{}, key: flows, bulk_max_size: 7", server.port));
    assert!(output.probe().unwrap()[0].contains("is Redis "));
    let counters = publish(output.open().unwrap(), 0..5_000);
    assert_eq!((counters.delivered, counters.retries), (5_000, 0));
    assert!(server.items("flows") == expected(0..5_000));
}

#[test]
fn keys_come_from_documents_and_databases_from_the_options() {
    let directory = tempfile::tempdir().unwrap();
    let Some(server) = Server::start(directory.path(), free_port(), &[]) else { return };
    let key = "key: 'k-%{[n]}', codec.format.string: 'text of %{[n]}'";
    let output = redis_output(&format!("hosts: ['redis://127.0.0.1:{}'], {key}", server.port));
    publish(output.open().unwrap(), 0..3);
    assert_eq!(server.items(&format!("k-{:092}", 2)), [format!("text of {:092}", 2)]);
    let output = redis_output(&format!("hosts: 127.0.0.1:{}, db: 3, index: i", server.port));
    publish(output.open().unwrap(), 0..3);
    assert_eq!(server.length("i"), 0);
    let counters = publish(
        redis_output(&format!("hosts: 127.0.0.1:{}, key: '%{{[no]}}'", server.port))
            .open()
            .unwrap(),
        0..5,
    );
    assert_eq!((counters.delivered, counters.refused), (0, 5));
    let space = server.ask("INFO keyspace", 4).join("\n");
    assert!(space.contains("db3:keys=1"), "{space}");
}

#[test]
fn a_channel_reaches_who_listens() {
    let directory = tempfile::tempdir().unwrap();
    let Some(server) = Server::start(directory.path(), free_port(), &[]) else { return };
    let mut listener = TcpStream::connect((Ipv4Addr::LOCALHOST, server.port)).unwrap();
    listener.set_read_timeout(Some(PATIENCE)).unwrap();
    listener.write_all(b"SUBSCRIBE flows\r\n").unwrap();
    let mut lines = BufReader::new(listener).lines().map(Result::unwrap);
    assert_eq!(lines.by_ref().nth(5).as_deref(), Some(":1"));
    let output =
        redis_output(&format!("hosts: 127.0.0.1:{}, key: flows, datatype: channel", server.port));
    publish(output.open().unwrap(), 0..100);
    let heard: Vec<String> = lines.skip(6).step_by(7).take(100).collect();
    assert!(heard == expected(0..100), "{:?}", heard.first());
}

#[test]
fn a_password_is_needed_and_told_of() {
    let directory = tempfile::tempdir().unwrap();
    let port = free_port();
    let Some(_server) = Server::start(directory.path(), port, &["--requirepass", "secret"]) else {
        return;
    };
    let hosts = format!("hosts: 127.0.0.1:{port}");
    let error = redis_output(&hosts).probe().unwrap_err().to_string();
    assert!(error.contains("NOAUTH") && error.contains("set output.redis.password"), "{error}");
    let error = redis_output(&format!("{hosts}, password: wrong")).probe().unwrap_err().to_string();
    assert!(error.contains("check output.redis.username and password"), "{error}");
    assert!(!error.contains("wrong password: "), "{error}");
    let output = redis_output(&format!("{hosts}, username: default, password: secret"));
    assert!(!format!("{output:?}").contains("secret"));
    output.probe().unwrap();
    redis_output(&format!("hosts: 'redis://:secret@127.0.0.1:{port}'")).probe().unwrap();
}

#[test]
fn nothing_is_lost_while_the_server_is_away() {
    let directory = tempfile::tempdir().unwrap();
    let port = free_port();
    let Some(server) = Server::start(directory.path(), port, &[]) else { return };
    // The first host never answers: the second one takes over.
    let hosts = format!("hosts: ['127.0.0.1:1', '127.0.0.1:{port}']");
    let output = redis_output(&format!("{hosts}, key: flows, backoff: {{init: 10ms, max: 50ms}}"));
    let pipeline =
        Pipeline::start(vec![output.open().unwrap()], Options::default(), || ()).unwrap();
    let mut publisher = pipeline.publisher(Processors::default());
    (0..2_000).for_each(|number| publisher.publish(&Numbered(number)).unwrap());
    assert!(pipeline.flush(PATIENCE));
    assert_eq!(server.length("flows"), 2_000);
    drop(server);
    (2_000..4_000).for_each(|number| publisher.publish(&Numbered(number)).unwrap());
    publisher.push();
    assert!(!pipeline.flush(Duration::from_millis(100)));
    let server = Server::start(directory.path(), port, &[]).unwrap();
    assert!(pipeline.flush(PATIENCE));
    assert!(pipeline.counters()[0].1.retries > 0);
    pipeline.stop().result().unwrap();
    assert!(server.items("flows") == expected(0..4_000));
}

#[test]
fn a_server_that_does_not_speak_the_protocol_is_told_of() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let serving = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
        // The second connection gets no answer at all.
        let (_silent, _) = listener.accept().unwrap();
        thread::park_timeout(PATIENCE);
    });
    let hosts = format!("hosts: 127.0.0.1:{port}, timeout: 200ms");
    let error = redis_output(&hosts).probe().unwrap_err().to_string();
    assert!(error.contains("not the protocol of Redis"), "{error}");
    let error = redis_output(&hosts).probe().unwrap_err().to_string();
    assert!(error.contains("does not answer within output.redis.timeout"), "{error}");
    serving.thread().unpark();
    serving.join().unwrap();
    let error = redis_output("hosts: 127.0.0.1:1").probe().unwrap_err().to_string();
    assert!(
        error.contains("cannot connect to 127.0.0.1:1")
            && error.contains("check output.redis.hosts"),
        "{error}"
    );
}

#[test]
fn what_would_not_be_followed_is_refused() {
    for (options, message) in [
        ("", "redis has no hosts; write output.redis.hosts: [localhost]"),
        (
            "hosts: h, ssl: {enabled: true}",
            "output.redis.ssl is not supported: connections are not encrypted; put a proxy such as stunnel before the server; remove it",
        ),
        ("hosts: h, max_retries: 3", "output.redis.max_retries is not supported"),
        ("hosts: 'rediss://h'", "connections are not encrypted"),
        ("hosts: h, username: u", "output.redis.username has no password"),
        ("hosts: h, key: '%{x}'", "is neither a field nor a time"),
        (
            "hosts: h, datatype: stream",
            "output.redis.datatype is \"stream\"; allowed: list, channel",
        ),
    ] {
        let (_, problems, _) = read(&format!("redis: {{{options}}}"));
        assert!(problems.len() == 1 && problems[0].contains(message), "{options}: {problems:?}");
    }
    assert!(read("redis: {hosts: h, ssl.enabled: true, enabled: false}").1.is_empty());
}
