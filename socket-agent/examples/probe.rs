use socket_agent::{config::*, sensor::ebpf::*};
fn main() {
    let set = match std::env::args().nth(1).as_deref() {
        Some("kprobe") => HookSet::Kprobe,
        Some("fentry") => HookSet::Fentry,
        _ => HookSet::Cgroup,
    };
    let config = SocketConfig::default();
    let syms = std::fs::read_to_string("/proc/kallsyms").unwrap();
    let range = |n: &str| {
        let mut all: Vec<(u64, &str)> = vec![];
        for l in syms.lines() {
            let mut p = l.split(' ');
            let a = u64::from_str_radix(p.next().unwrap(), 16).unwrap();
            let _ = p.next();
            all.push((a, p.next().unwrap()));
        }
        all.sort();
        let i = all.iter().position(|x| x.1 == n).unwrap();
        let a = all[i].0;
        let e = all[i..].iter().find(|x| x.0 > a).unwrap().0;
        [a, e]
    };
    let options = Options {
        set,
        cgroup: ["/sys/fs/cgroup/unified", "/sys/fs/cgroup"]
            .iter()
            .find(|p| std::path::Path::new(p).join("cgroup.procs").exists())
            .map(Into::into),
        ipv6: true,
        receive_functions: [range("tcp_v4_rcv"), range("tcp_v6_rcv")],
    };
    let t = std::time::Instant::now();
    let (mut s, d) = match Sensor::start(&config, &options) {
        Ok(x) => x,
        Err(e) => {
            println!("{e}");
            return;
        }
    };
    println!("started in {:?} degraded {d:#?}", t.elapsed());
    let secs: u64 = std::env::args().nth(2).map_or(5, |x| x.parse().unwrap());
    let end = std::time::Instant::now() + std::time::Duration::from_secs(secs);
    let p = |f: &socket_common::Flow, w: &str| {
        println!(
            "{w} {}:{} -> {}:{} p{} out {}/{} in {}/{} began {} rank {} pid {} comm {:?} state {} err {} cg {} uid {}",
            std::net::Ipv4Addr::from(u32::from_be(f.tuple.local[0])),
            f.tuple.local_port,
            std::net::Ipv4Addr::from(u32::from_be(f.tuple.remote[0])),
            f.tuple.remote_port,
            f.tuple.protocol,
            f.traffic.packets_out,
            f.traffic.bytes_out,
            f.traffic.packets_in,
            f.traffic.bytes_in,
            f.began,
            f.rank,
            f.owner.pid,
            String::from_utf8_lossy(&f.owner.comm_bytes()),
            f.tcp.state,
            f.tcp.error,
            f.owner.cgroup,
            f.owner.uid
        )
    };
    while std::time::Instant::now() < end {
        while let Some(e) = s.next_event() {
            match e {
                Event::Closed(f) => {
                    p(&f, "closed");
                    if f.tcp.state != 0 && f.tcp.state != 9 {
                        std::thread::sleep(std::time::Duration::from_millis(600));
                        println!("   late {:?}", s.take_late(&f.tuple));
                    }
                }
                Event::Exec(e) => println!(
                    "exec {} {:?}",
                    e.pid,
                    String::from_utf8_lossy(&e.args[..e.header.length as usize])
                ),
                Event::Exit(_) | Event::Fork(_) => {}
                Event::Late(l) => println!("{l:?}"),
            }
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    s.detach();
    s.open_flows(|f| p(&f, "open")).unwrap();
    println!("{:?}", s.counters());
}
