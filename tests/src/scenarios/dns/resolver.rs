//! Programs of others: curl asks Debian's dnsmasq, directly or through a cache on its own host.

use std::{
    ffi::OsStr,
    fs,
    net::{IpAddr, SocketAddr},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use nix::{
    mount::{MsFlags, mount},
    sched::{CloneFlags, unshare},
};

use super::{
    asking::name_of,
    site::{check, wait_until_seen},
};
use crate::{
    agent::Doc,
    capture::Transport,
    endpoint::{Endpoint, Family},
    expect::{Direction, Side},
    fixture::Fixture,
    net::{Netns, link},
    skip::skip,
    worker::{Command as Step, Reply, Worker},
};

/// Everything is ready within this time.
const READY: Duration = Duration::from_secs(30);
/// Address of the cache.
const CACHE: [u8; 4] = [127, 0, 0, 53];

pub(super) fn without_cache(fixture: &Fixture<'_>) -> Result<()> {
    let (here, there) = fixture.wire(true)?;
    let server = ip(&there)?;
    let _names = names(fixture, &there, server)?;
    visit(fixture, &here, &there, server).map(drop)
}

pub(super) fn with_cache(fixture: &Fixture<'_>) -> Result<()> {
    let (here, there) = fixture.wire(true)?;
    let server = ip(&there)?;
    let _names = names(fixture, &there, server)?;
    here.netns.run(|| link::up("lo"))?;
    let upstream = format!("--server={server}");
    let cache = Dnsmasq::start(&here.netns, CACHE.into(), &[&upstream])?;
    wait_until_seen(fixture.shared()?, cache.0.id())?;
    let first = visit(fixture, &here, &there, CACHE.into())?;
    // This one is answered from the cache.
    let second = visit(fixture, &here, &there, CACHE.into())?;
    ensure!(first.text("process.pid") != second.text("process.pid"), "one curl, not two");
    Ok(())
}

fn ip(endpoint: &Endpoint) -> Result<IpAddr> {
    Ok(endpoint.any_port(Family::V4)?.ip())
}

/// A server that knows one host, by another name.
fn names(fixture: &Fixture<'_>, endpoint: &Endpoint, address: IpAddr) -> Result<Dnsmasq> {
    let [alias, name] = ["www", "web"].map(|host| name_of(fixture, host));
    let host = format!("--host-record={name},{address}");
    let alias = format!("--cname={alias},{name}");
    let dnsmasq = Dnsmasq::start(&endpoint.netns, address, &[&host, &alias])?;
    wait_until_seen(fixture.shared()?, dnsmasq.0.id())?;
    Ok(dnsmasq)
}

/// curl visits a web server by its name; the document of its connection.
fn visit(
    fixture: &Fixture<'_>,
    here: &Endpoint,
    there: &Endpoint,
    resolver: IpAddr,
) -> Result<Doc> {
    let curl = program("curl")?;
    let folder = tempfile::tempdir()?;
    let resolv = folder.path().join("resolv.conf");
    fs::write(&resolv, format!("nameserver {resolver}\n"))?;
    let web = Worker::spawn(&there.netns, "web")?;
    let listener = web.listen(there.any_port(Family::V4)?)?;
    let name = name_of(fixture, "www");
    let url = format!("http://{name}:{}/", listener.local.port());
    web.begin(&Step::Accept { fd: listener.fd })?;
    let mut curl = Command::new(curl);
    curl.args(["--silent", "--show-error", "--ipv4", "--noproxy", "*", "--max-time", "60", &url]);
    curl.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let client = here.netns.run(|| {
        replace(&resolv, Path::new("/etc/resolv.conf"))?;
        curl.spawn().context("starting curl")
    })?;
    let pid = client.id();
    let answered = answer(&web);
    let output = client.wait_with_output()?;
    ensure!(
        output.status.success() && output.stdout == b"hello",
        "curl {url}: {} {} {answered:?}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    let at_web = answered?;
    web.close(listener)?;
    fixture.expect(&Side::accepted(&web, at_web)?, &there.capture)?;
    let to = listener.local;
    let of_curl = |doc: &&Doc| {
        doc.number("process.pid") == Some(u64::from(pid)) && doc.end("destination") == Some(to)
    };
    let doc = fixture.shared()?.wait_for(|docs| docs.iter().find(of_curl).cloned());
    let doc = doc.with_context(|| format!("no document of curl ({pid}) to {to}"))?;
    check(&doc, "destination", &name, "asked")?;
    // The other end of what the web server saw.
    let from = at_web.peer.context("a connection from nobody")?;
    let side = Side::of(&web, Transport::Tcp, from, to, Direction::Egress).of_process(pid);
    fixture.shared()?.admit(fixture.name, &side);
    Ok(doc)
}

fn answer(web: &Worker) -> Result<crate::worker::Sock> {
    let sock = match web.finish()? {
        Reply::Socket(sock) => sock,
        other => bail!("expected a socket, got {other:?}"),
    };
    web.send_bytes(sock, b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", None)?;
    web.shutdown(sock)?;
    web.step(&Step::Drain { fd: sock.fd })?;
    web.close(sock)?;
    Ok(sock)
}

/// Puts a file in the place of another, for this thread and what it starts.
fn replace(with: &Path, file: &Path) -> Result<()> {
    unshare(CloneFlags::CLONE_NEWNS).context("making a mount namespace (needs root)")?;
    let nothing = None::<&Path>;
    mount(nothing, "/", nothing, MsFlags::MS_REC | MsFlags::MS_PRIVATE, nothing)
        .context("making mounts private")?;
    mount(Some(with), file, nothing, MsFlags::MS_BIND, nothing)
        .with_context(|| format!("mounting over {}", file.display()))
}

/// A running dnsmasq.
struct Dnsmasq(Child);

impl Dnsmasq {
    fn start(netns: &Netns, address: IpAddr, arguments: &[&str]) -> Result<Self> {
        let mut command = Command::new(program("dnsmasq")?);
        command.args([
            "--keep-in-foreground",
            "--conf-file=/dev/null",
            "--no-resolv",
            "--no-hosts",
        ]);
        command.args(["--pid-file", "--user=root", "--bind-interfaces", "--log-facility=-"]);
        command.arg(format!("--listen-address={address}")).args(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = netns.run(|| command.spawn().context("starting dnsmasq"))?;
        let mut dnsmasq = Self(child);
        dnsmasq.wait(SocketAddr::new(address, 53))?;
        Ok(dnsmasq)
    }

    /// Waits until it listens.
    fn wait(&mut self, address: SocketAddr) -> Result<()> {
        let IpAddr::V4(ip) = address.ip() else { bail!("only IPv4 is looked for") };
        // As the kernel writes it.
        let wanted = format!("{:08X}:{:04X}", u32::from_ne_bytes(ip.octets()), address.port());
        let table = format!("/proc/{}/net/udp", self.0.id());
        let deadline = Instant::now() + READY;
        while !fs::read_to_string(&table).unwrap_or_default().contains(&wanted) {
            if let Some(status) = self.0.try_wait()? {
                bail!("dnsmasq ended with {status}");
            }
            ensure!(Instant::now() < deadline, "dnsmasq does not listen on {address}");
            thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }
}

impl Drop for Dnsmasq {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Where a program is; a skip if it is not installed.
fn program(name: &str) -> Result<std::path::PathBuf> {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"].map(OsStr::new);
    std::env::split_paths(&folders)
        .chain(system.map(Into::into))
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
        .ok_or_else(|| skip(format!("{name} is not installed; Debian has it")))
}
