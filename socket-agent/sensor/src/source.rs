//! What the agent asks of a sensor, whichever way it looks into the kernel.

use std::os::fd::BorrowedFd;

use metrics::Values;
use socket_common::{ExecEvent, ExitEvent, Flow, ForkEvent, Late, SocketEvent, SocketOwner, Tuple};

use super::{SensorError, SocketConfig, ebpf::DnsRing};

/// One record.
#[derive(Clone)]
pub enum Event {
    /// A flow that does not change any more, but for late packets.
    Closed(Flow),
    /// Late packets of a flow.
    Late(Late),
    /// A socket listens or has been bound, or does not any more.
    Socket(SocketEvent),
    /// A connection has been established.
    Connected(Flow),
    /// A process replaced its image.
    Exec(Box<ExecEvent>),
    /// A process was created.
    Fork(ForkEvent),
    /// A process left.
    Exit(ExitEvent),
}

/// The records of a running sensor, in their order. They can be read on one thread while another looks at
/// the sensor's tables.
pub trait Records: Send {
    /// A descriptor that becomes readable when much is waiting.
    fn descriptor(&self) -> BorrowedFd<'_>;

    /// The next record; `None` when there is none at the moment.
    fn next_event(&mut self) -> Option<Event>;

    /// The sensor is detached: what is there is all there will be.
    fn finish(&mut self) {}
}

/// A sensor that has been started: its tables and its records.
pub struct Halves {
    /// Tables, which are looked up.
    pub tables: Box<dyn Source>,
    /// Records, which are handed over.
    pub records: Box<dyn Records>,
}

/// A running sensor. Dropping it leaves nothing behind in the kernel.
pub trait Source: Send {
    /// Takes over those settings that can change while it runs: `flow_inactive_timeout`.
    ///
    /// # Errors
    ///
    /// The kernel refuses the write.
    fn reconfigure(&mut self, config: &SocketConfig) -> Result<(), SensorError>;

    /// The ring of DNS packets, once; `None` if the sensor hands over none.
    fn take_dns(&mut self) -> Option<DnsRing> {
        None
    }

    /// Stops observing. What was seen until now can still be read, after [`Records::finish`].
    fn detach(&mut self);

    /// Takes a batch of the closed flows that found no room among the records; whether there may be
    /// more.
    ///
    /// # Errors
    ///
    /// The kernel refuses the read.
    fn take_spilled(&mut self, each: &mut dyn FnMut(Flow)) -> Result<bool, SensorError>;

    /// The next batch of the flows that are open: by socket, then further UDP peers; whether there may
    /// be more. After the last batch it begins anew. Flows may be evicted between two batches.
    ///
    /// # Errors
    ///
    /// The kernel refuses the read; the next call begins anew.
    fn open_flows(&mut self, each: &mut dyn FnMut(Flow)) -> Result<bool, SensorError>;

    /// Brings flows up to date with what only their sockets know, if they are open: state,
    /// retransmissions and round-trip time of TCP, dropped datagrams of UDP. What cannot be learnt is
    /// zero.
    ///
    /// # Errors
    ///
    /// The kernel refuses the read.
    fn sample(&mut self, flows: &mut [Flow]) -> Result<(), SensorError>;

    /// Forgets a flow and returns its last state; `None` if it has gone meanwhile.
    ///
    /// # Errors
    ///
    /// The kernel refuses the removal.
    fn evict(&mut self, flow: &Flow) -> Result<Option<Flow>, SensorError>;

    /// Takes what was counted for a closed flow since it was handed over. An entry that a newer
    /// connection between the same ends has made stays.
    ///
    /// # Errors
    ///
    /// The kernel refuses the removal.
    fn take_late(&mut self, flow: u64, tuple: &Tuple) -> Result<Option<Late>, SensorError>;

    /// Removes from the tables what nothing comes of any more. To be called several times a second.
    ///
    /// # Errors
    ///
    /// The kernel refuses to read a table.
    fn tidy(&mut self) -> Result<(), SensorError> {
        Ok(())
    }

    /// Listening TCP sockets and bound UDP sockets.
    ///
    /// # Errors
    ///
    /// The kernel refuses the read.
    fn owners(&mut self, each: &mut dyn FnMut(SocketOwner)) -> Result<(), SensorError>;

    /// Every counter of what was missed.
    fn counters(&self) -> Values;
}
