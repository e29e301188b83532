//! Asks open sockets for what the tables do not hold.

use std::os::fd::{AsFd, OwnedFd};

use aya::{
    Ebpf,
    maps::{Array, MapData},
    programs::RawTracePoint,
};
use socket_common::{Flow, PROTO_TCP, SAMPLES, Sample};

use super::{refusal, sys, tables::Plain};
use crate::{SensorError, error::one_line};

const PROGRAM: &str = "sample";
const MAP: &str = "SAMPLED";

/// A program that reads sockets by their address; the agent runs it when it wants to know.
pub(super) struct Sampler {
    program: OwnedFd,
    read: Array<MapData, Plain<[Sample; SAMPLES]>>,
}

impl Sampler {
    /// Loads the program, and checks that the kernel runs it on demand (5.10).
    pub(super) fn load(ebpf: &mut Ebpf) -> Result<Self, String> {
        let map = ebpf.take_map(MAP).ok_or_else(|| format!("the embedded object has no {MAP}"))?;
        let read = map.try_into().map_err(|error| one_line(&error))?;
        let program: &mut RawTracePoint = ebpf
            .program_mut(PROGRAM)
            .ok_or("the embedded object has no such program")?
            .try_into()
            .map_err(|_| "the embedded object has it as another type")?;
        program.load().map_err(|error| refusal::reason(&error))?;
        let program = program
            .fd()
            .map_err(|error| one_line(&error))?
            .as_fd()
            .try_clone_to_owned()
            .map_err(|error| error.to_string())?;
        sys::run(program.as_fd(), &[0; SAMPLES]).map_err(|error| match error.raw_os_error() {
            Some(libc::EINVAL | ENOTSUPP) => {
                format!("{error}: programs cannot be run on demand before kernel 5.10")
            }
            _ => error.to_string(),
        })?;
        Ok(Self { program, read })
    }

    /// Brings open flows up to date.
    pub(super) fn sample(&self, flows: &mut [Flow]) -> Result<(), SensorError> {
        for flows in flows.chunks_mut(SAMPLES) {
            let mut addresses = [0; SAMPLES];
            for (address, flow) in addresses.iter_mut().zip(flows.iter()) {
                *address = if is_asked(flow) { flow.sock } else { 0 };
            }
            if addresses == [0; SAMPLES] {
                continue;
            }
            let failed = |source| SensorError::Map { map: MAP, source };
            sys::run(self.program.as_fd(), &addresses).map_err(failed)?;
            let samples =
                self.read.get(&0, 0).map_err(|error| failed(std::io::Error::other(error)))?.0;
            for (flow, sample) in flows.iter_mut().zip(samples) {
                apply(flow, &sample);
            }
        }
        Ok(())
    }
}

/// For flows that cannot be asked for: drops are not counted.
pub(super) fn unknown(flows: &mut [Flow]) {
    for flow in flows.iter_mut().filter(|flow| is_asked(flow)) {
        flow.drops = 0;
    }
}

/// `ENOTSUPP`, which is the kernel's own.
const ENOTSUPP: i32 = 524;

/// Flows of sockets that are closed say it all themselves, and a socket's count of dropped datagrams
/// goes with its first flow.
fn is_asked(flow: &Flow) -> bool {
    flow.ended == 0 && (flow.tuple.protocol == PROTO_TCP || flow.id == flow.socket_id)
}

fn apply(flow: &mut Flow, sample: &Sample) {
    if !is_asked(flow) {
        return;
    }
    if flow.tuple.protocol == PROTO_TCP {
        if sample.tuple == flow.tuple {
            flow.tcp.state = sample.state;
            flow.tcp.retransmits = sample.count;
            flow.tcp.counted = sample.counted;
            flow.tcp.srtt_us = sample.srtt_us;
        }
        return;
    }
    let near = |flow: &socket_common::Tuple| (flow.protocol, flow.local_port, flow.netns);
    if near(&sample.tuple) == near(&flow.tuple) {
        flow.drops = sample.count.wrapping_sub(flow.drops);
    } else {
        flow.drops = 0;
    }
}

#[cfg(test)]
mod tests {
    use socket_common::{PROTO_UDP, Tcp, Tuple};

    use super::*;

    fn flow(protocol: u8) -> Flow {
        let tuple = Tuple { protocol, local_port: 9, netns: 1, ..Tuple::default() };
        Flow { id: 1, socket_id: 1, tuple, drops: 10, ..Flow::default() }
    }

    #[test]
    fn tcp_takes_state_and_times() {
        let mut one = flow(PROTO_TCP);
        let sample = Sample {
            tuple: one.tuple,
            count: 3,
            srtt_us: 50,
            state: 1,
            counted: 1,
            ..Sample::default()
        };
        apply(&mut one, &sample);
        let expected = Tcp { state: 1, retransmits: 3, srtt_us: 50, counted: 1, ..Tcp::default() };
        assert_eq!(one.tcp, expected);
    }

    #[test]
    fn another_socket_at_the_address_says_nothing() {
        let mut one = flow(PROTO_TCP);
        let tuple = Tuple { remote_port: 1, ..one.tuple };
        apply(&mut one, &Sample { tuple, count: 3, state: 1, ..Sample::default() });
        assert_eq!(one.tcp, Tcp::default());
        let mut other = flow(PROTO_UDP);
        apply(&mut other, &Sample { count: 30, ..Sample::default() });
        assert_eq!(other.drops, 0);
    }

    #[test]
    fn udp_counts_from_where_the_flow_began() {
        let mut one = flow(PROTO_UDP);
        // The peer of the socket may be another one by now.
        let tuple = Tuple { remote_port: 7, ..one.tuple };
        apply(&mut one, &Sample { tuple, count: 12, ..Sample::default() });
        assert_eq!(one.drops, 2);
    }

    #[test]
    fn closed_flows_and_further_peers_are_left_alone() {
        let mut closed = Flow { ended: 5, ..flow(PROTO_UDP) };
        apply(&mut closed, &Sample::default());
        let mut further = Flow { id: 2, ..flow(PROTO_UDP) };
        apply(&mut further, &Sample::default());
        assert_eq!((closed.drops, further.drops), (10, 10));
    }
}
