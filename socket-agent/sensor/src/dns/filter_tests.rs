//! The program, run as the kernel would, against the parser of user space.

use socket_common::{PROTO_TCP, PROTO_UDP};

use super::*;
use flow::dns::{
    packet,
    testing::{ip, some_bytes, tagged, tcp, udp},
};

/// Interprets classic BPF, as net/core/filter.c does; a load from behind the end drops the packet.
fn run(program: &[sock_filter], ethertype: u16, bytes: &[u8]) -> u32 {
    run_at(program, (2, OUTGOING), ethertype, bytes)
}

fn run_at(
    program: &[sock_filter],
    (interface, kind): (u32, u32),
    ethertype: u16,
    bytes: &[u8],
) -> u32 {
    let (mut a, mut x, mut memory) = (0_u32, 0_u32, [0_u32; 16]);
    let mut pc = 0;
    loop {
        let instruction = program[pc];
        let (code, k) = (u32::from(instruction.code), instruction.k);
        pc += 1;
        match code & 0x07 {
            BPF_LD if code & 0xe0 == BPF_IMM => a = k,
            BPF_LD if code & 0xe0 == BPF_MEM => a = memory[k as usize],
            BPF_LD if k == AD_IFINDEX => a = interface,
            BPF_LD if k == AD_PKTTYPE => a = kind,
            BPF_LD if k == AD_PROTOCOL => a = u32::from(ethertype),
            BPF_LD => {
                let at = if code & 0xe0 == BPF_IND { x.wrapping_add(k) } else { k } as usize;
                let length = match code & 0x18 {
                    BPF_B => 1,
                    BPF_H => 2,
                    _ => 4,
                };
                let Some(value) = bytes.get(at..at + length) else { return 0 };
                a = value.iter().fold(0, |sum, byte| sum << 8 | u32::from(*byte));
            }
            BPF_LDX if code & 0xe0 == BPF_IMM => x = k,
            BPF_LDX => x = memory[k as usize],
            BPF_ST => memory[k as usize] = a,
            BPF_STX => memory[k as usize] = x,
            BPF_ALU => {
                let value = if code & BPF_X != 0 { x } else { k };
                a = match code & 0xf0 {
                    BPF_ADD => a.wrapping_add(value),
                    BPF_AND => a & value,
                    BPF_LSH => a << value,
                    other => panic!("operation {other}"),
                };
            }
            BPF_JMP if code & 0xf0 == BPF_JA => pc += k as usize,
            BPF_JMP => {
                pc += usize::from(if a == k { instruction.jt } else { instruction.jf });
            }
            BPF_RET => return k,
            BPF_MISC => x = a,
            other => panic!("class {other}"),
        }
    }
}

/// What the parser would make of the packet.
fn wanted(ethertype: u16, bytes: &[u8]) -> bool {
    packet::parse(ethertype, bytes).is_some_and(|segment| {
        segment.source.port() == 53 || (segment.tcp.is_none() && segment.destination.port() == 53)
    })
}

#[test]
fn dns_passes_and_nothing_else() {
    let program = program(1024);
    assert!(program.len() <= 4096, "{} instructions are more than the kernel takes", program.len());
    let hop = [PROTO_UDP, 0, 0, 0, 0, 0, 0, 0];
    let (v4, v6) = (["10.0.0.1", "10.0.0.2"], ["fd00::1", "fd00::2"]);
    for (ports, over_udp, over_tcp) in
        [((53, 4000), true, true), ((4000, 53), true, false), ((4000, 80), false, false)]
    {
        let datagram = udp(ports.0, ports.1, b"x");
        let segment = tcp(ports.0, ports.1, 1, 0x18, b"x");
        for (passes, packet) in [
            (over_udp, ip(v4, PROTO_UDP, (0, &[]), &datagram)),
            (over_udp, ip(v4, PROTO_UDP, (0, &[1; 12]), &datagram)),
            (over_udp, ip(v6, PROTO_UDP, (0, &[]), &datagram)),
            (over_udp, ip(v6, PROTO_UDP, (60, &hop), &datagram)),
            (over_tcp, ip(v4, PROTO_TCP, (0, &[]), &segment)),
            (over_tcp, ip(v6, PROTO_TCP, (0, &[]), &segment)),
            (false, ip(v4, 132, (0, &[]), &segment)),
        ] {
            let tagged = [packet.clone(), tagged(packet.clone()), tagged(tagged(packet))];
            for (ethertype, bytes) in tagged {
                let snaplen = if passes { 1024 } else { 0 };
                assert_eq!(run(&program, ethertype, &bytes), snaplen, "{ports:?} {bytes:x?}");
            }
        }
    }
}

#[test]
fn loopback_is_looked_at_once() {
    let program = program(1024);
    let (kind, packet) = ip(["127.0.0.1", "127.0.0.53"], PROTO_UDP, (0, &[]), &udp(4000, 53, b"x"));
    for (interface, way, passes) in [(1, OUTGOING, 0), (1, 0, 1024), (2, OUTGOING, 1024)] {
        assert_eq!(run_at(&program, (interface, way), kind, &packet), passes);
    }
}

#[test]
fn whatever_the_parser_wants_passes() {
    let program = program(256);
    let mut random = fastrand::Rng::with_seed(0x9e37_79b9_7f4a_7c15);
    let mut passed = 0;
    for _ in 0..200_000 {
        let port = [53, 80][random.usize(..2)];
        let payload = match random.usize(..2) {
            0 => udp(port, 53, b"x"),
            _ => tcp(53, port, 1, 0x10, b"x"),
        };
        let protocol = [PROTO_UDP, PROTO_TCP][random.usize(..2)];
        // Extension headers of any kind and length, of which the last says what follows.
        let mut between = Vec::new();
        let headers = random.usize(..11);
        let kinds = [0, 43, 60, 44, 51, 135, protocol];
        for header in 0..headers {
            let kind = if header + 1 == headers { protocol } else { kinds[random.usize(..7)] };
            let units = random.usize(..2) as u8;
            between.extend([kind, units]);
            let length = 6 + 8 * usize::from(units);
            between.extend(some_bytes(&mut random, length).iter().map(|byte| byte & 1));
        }
        let ends =
            if random.usize(..3) == 0 { ["10.0.0.1", "10.0.0.2"] } else { ["fd00::1", "fd00::2"] };
        if ends[0].starts_with('1') {
            between.truncate(40);
        }
        let mut packet = ip(ends, protocol, (kinds[random.usize(..6)], &between), &payload);
        if random.usize(..3) == 0 {
            packet = tagged(packet);
        }
        if random.usize(..4) == 0 {
            let at = random.usize(..packet.1.len());
            packet.1[at] = random.u8(..);
        }
        if wanted(packet.0, &packet.1) {
            passed += 1;
            assert_eq!(run(&program, packet.0, &packet.1), 256, "{packet:x?}");
        }
    }
    assert!(passed > 20_000, "{passed}: too few of the packets make sense");
}

/// What the interpreter accepts the kernel has to accept as well.
#[test]
fn the_kernel_takes_the_program() {
    let (socket, _peer) = std::os::unix::net::UnixDatagram::pair().unwrap();
    let mut program = program(1024);
    let fprog = libc::sock_fprog { len: program.len() as u16, filter: program.as_mut_ptr() };
    // SAFETY: the program and its description live for the call.
    let result = unsafe {
        libc::setsockopt(
            std::os::fd::AsRawFd::as_raw_fd(&socket),
            libc::SOL_SOCKET,
            libc::SO_ATTACH_FILTER,
            std::ptr::from_ref(&fprog).cast(),
            size_of::<libc::sock_fprog>() as libc::socklen_t,
        )
    };
    assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
}
