//! The kernel filter: UDP from and to port 53, and TCP from port 53.
//!
//! Classic BPF (linux/filter.h, Linux 2.2) on packets that begin with their network header:
//! IPv4 with options, IPv6 behind extension headers, both behind up to two VLAN tags in the packet;
//! of fragments only the first, which has the ports.

use libc::{
    BPF_ABS, BPF_ADD, BPF_ALU, BPF_AND, BPF_B, BPF_H, BPF_IMM, BPF_IND, BPF_JA, BPF_JEQ, BPF_JMP,
    BPF_K, BPF_LD, BPF_LDX, BPF_LSH, BPF_MEM, BPF_MISC, BPF_RET, BPF_ST, BPF_STX, BPF_TAX, BPF_W,
    BPF_X, sock_filter,
};

use flow::dns::packet::{EXTENSIONS, IPV4, IPV6, VLAN};

/// `SKF_AD_OFF` with `SKF_AD_PROTOCOL`, `SKF_AD_PKTTYPE` and `SKF_AD_IFINDEX`, linux/filter.h.
const AD_PROTOCOL: u32 = (-0x1000_i32) as u32;
const AD_PKTTYPE: u32 = (-0x1000_i32 + 4) as u32;
const AD_IFINDEX: u32 = (-0x1000_i32 + 8) as u32;
/// `PACKET_OUTGOING`, linux/if_packet.h.
const OUTGOING: u32 = 4;
/// The first interface of every network namespace.
const LOOPBACK: u32 = 1;
const TCP: u32 = 6;
const UDP: u32 = 17;
const PORT: u32 = 53;
/// Scratch memory: where a header begins, and the protocol of what it carries.
const AT: u32 = 0;
const NEXT: u32 = 1;

/// A target of jumps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Label(usize);

/// A program under construction. Only unconditional jumps go far: the others reach 255 instructions.
#[derive(Debug, Default)]
struct Assembler {
    code: Vec<sock_filter>,
    /// Jumps whose distance is not known yet.
    open: Vec<(usize, Label)>,
    labels: Vec<Option<usize>>,
}

/// The filter; what it lets through is cut to `snaplen` bytes.
pub(super) fn program(snaplen: u32) -> Vec<sock_filter> {
    let mut a = Assembler::default();
    let (drop, accept) = (a.label(), a.label());
    let (ipv4, ipv6, transport) = (a.label(), a.label(), a.label());

    // Over loopback every packet arrives as well as leaves: once is enough.
    let here = a.label();
    a.load(BPF_W, BPF_ABS, AD_IFINDEX);
    a.jump_unless(LOOPBACK, here);
    a.load(BPF_W, BPF_ABS, AD_PKTTYPE);
    a.jump_if(OUTGOING, drop);
    a.bind_label(here);

    version(&mut a, ipv4, ipv6, drop);

    a.bind_label(ipv4);
    first_fragment(&mut a, 6, 0x1fff, drop);
    a.load(BPF_B, BPF_IND, 9);
    a.store(NEXT);
    // Index += length of the header with its options.
    a.store_index(AT);
    a.load(BPF_B, BPF_IND, 0);
    a.alu(BPF_AND, 0x0f);
    a.alu(BPF_LSH, 2);
    a.load_index(AT);
    a.add_index();
    a.jump(transport);

    a.bind_label(ipv6);
    a.load(BPF_B, BPF_IND, 6);
    a.store(NEXT);
    a.advance(40);
    for _ in 0..EXTENSIONS {
        extension(&mut a, transport, drop);
    }

    // Index: the transport header. Queries matter over UDP only.
    a.bind_label(transport);
    a.load_memory(NEXT);
    let (tcp, udp) = (a.label(), a.label());
    a.jump_if(UDP, udp);
    a.jump_if(TCP, tcp);
    a.jump(drop);
    a.bind_label(udp);
    a.load(BPF_H, BPF_IND, 2);
    a.jump_if(PORT, accept);
    a.bind_label(tcp);
    a.load(BPF_H, BPF_IND, 0);
    a.jump_if(PORT, accept);

    a.bind_label(drop);
    a.push(BPF_RET | BPF_K, 0);
    a.bind_label(accept);
    a.push(BPF_RET | BPF_K, snaplen);
    a.finish()
}

/// Goes on by the version of IP, which the type of the packet has, else the first or second tag in it. The
/// index is then the IP header.
fn version(a: &mut Assembler, ipv4: Label, ipv6: Label, drop: Label) {
    let (no_tag, guess) = (a.label(), a.label());
    a.load(BPF_W, BPF_ABS, AD_PROTOCOL);
    a.index(0);
    a.jump_if(u32::from(IPV4), ipv4);
    a.jump_if(u32::from(IPV6), ipv6);
    for tag in 1..=2_u32 {
        let tagged = a.label();
        for kind in VLAN {
            a.jump_if(u32::from(kind), tagged);
        }
        a.jump(if tag == 1 { no_tag } else { guess });
        a.bind_label(tagged);
        a.load(BPF_H, BPF_ABS, 4 * tag - 2);
        a.index(4 * tag);
        a.jump_if(u32::from(IPV4), ipv4);
        a.jump_if(u32::from(IPV6), ipv6);
    }
    // Some kernels call a packet tagged that begins with IP all the same.
    a.bind_label(guess);
    a.index(0);
    a.load(BPF_B, BPF_ABS, 0);
    a.alu(BPF_AND, 0xf0);
    a.jump_if(0x40, ipv4);
    a.jump_if(0x60, ipv6);
    a.bind_label(no_tag);
    a.jump(drop);
}

/// Drops fragments but the first, whose offset is zero: the bits of `mask` in the word at `offset` from
/// the index.
fn first_fragment(a: &mut Assembler, offset: u32, mask: u32, drop: Label) {
    a.load(BPF_H, BPF_IND, offset);
    a.alu(BPF_AND, mask);
    let first = a.label();
    a.jump_if(0, first);
    a.jump(drop);
    a.bind_label(first);
}

/// Goes behind one IPv6 extension header, whose kind is in memory and which begins at the index.
fn extension(a: &mut Assembler, transport: Label, drop: Label) {
    let (options, fragment, authentication) = (a.label(), a.label(), a.label());
    let go = a.label();
    a.load_memory(NEXT);
    a.jump_if(UDP, transport);
    a.jump_if(TCP, transport);
    for kind in [0, 43, 60, 135, 139, 140] {
        a.jump_if(kind, options);
    }
    a.jump_if(44, fragment);
    a.jump_if(51, authentication);
    a.jump(drop);

    a.bind_label(fragment);
    first_fragment(a, 2, 0xfff8, drop);
    a.push(BPF_LD | BPF_IMM, 8);
    a.jump(go);

    a.bind_label(authentication);
    a.load(BPF_B, BPF_IND, 1);
    a.alu(BPF_ADD, 2);
    a.alu(BPF_LSH, 2);
    a.jump(go);

    a.bind_label(options);
    a.load(BPF_B, BPF_IND, 1);
    a.alu(BPF_ADD, 1);
    a.alu(BPF_LSH, 3);

    // The accumulator has the length.
    a.bind_label(go);
    a.store(AT);
    a.load(BPF_B, BPF_IND, 0);
    a.store(NEXT);
    a.load_memory(AT);
    a.add_index();
}

// === impl Assembler ===

impl Assembler {
    fn push(&mut self, code: u32, k: u32) {
        self.code.push(sock_filter { code: code as u16, jt: 0, jf: 0, k });
    }

    fn label(&mut self) -> Label {
        self.labels.push(None);
        Label(self.labels.len() - 1)
    }

    /// The label is here.
    fn bind_label(&mut self, label: Label) {
        if let Some(position) = self.labels.get_mut(label.0) {
            *position = Some(self.code.len());
        }
    }

    fn jump(&mut self, to: Label) {
        self.open.push((self.code.len(), to));
        self.push(BPF_JMP | BPF_JA, 0);
    }

    /// Jumps if the accumulator is `value`.
    fn jump_if(&mut self, value: u32, to: Label) {
        let code = (BPF_JMP | BPF_JEQ | BPF_K) as u16;
        self.code.push(sock_filter { code, jt: 0, jf: 1, k: value });
        self.jump(to);
    }

    /// Jumps if the accumulator is not `value`.
    fn jump_unless(&mut self, value: u32, to: Label) {
        let code = (BPF_JMP | BPF_JEQ | BPF_K) as u16;
        self.code.push(sock_filter { code, jt: 1, jf: 0, k: value });
        self.jump(to);
    }

    /// Accumulator = packet; `BPF_IND` counts from the index.
    fn load(&mut self, size: u32, mode: u32, at: u32) {
        self.push(BPF_LD | size | mode, at);
    }

    fn load_memory(&mut self, slot: u32) {
        self.push(BPF_LD | BPF_MEM, slot);
    }

    fn store(&mut self, slot: u32) {
        self.push(BPF_ST, slot);
    }

    /// Accumulator = accumulator `operation` `value`.
    fn alu(&mut self, operation: u32, value: u32) {
        self.push(BPF_ALU | operation | BPF_K, value);
    }

    fn index(&mut self, value: u32) {
        self.push(BPF_LDX | BPF_IMM, value);
    }

    fn load_index(&mut self, slot: u32) {
        self.push(BPF_LDX | BPF_MEM, slot);
    }

    fn store_index(&mut self, slot: u32) {
        self.push(BPF_STX, slot);
    }

    /// Index += accumulator.
    fn add_index(&mut self) {
        self.push(BPF_ALU | BPF_ADD | BPF_X, 0);
        self.push(BPF_MISC | BPF_TAX, 0);
    }

    /// Index += `length`; the accumulator is lost.
    fn advance(&mut self, length: u32) {
        self.push(BPF_LD | BPF_IMM, length);
        self.add_index();
    }

    fn finish(mut self) -> Vec<sock_filter> {
        for (at, label) in self.open {
            let to = self.labels.get(label.0).copied().flatten().unwrap_or(at);
            if let Some(jump) = self.code.get_mut(at) {
                // Jumps go forward only; backward ones the kernel would refuse.
                jump.k = (to.wrapping_sub(at + 1)) as u32;
            }
        }
        self.code
    }
}

#[cfg(test)]
#[path = "filter_tests.rs"]
mod tests;
