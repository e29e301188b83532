//! Fields that each probe fetches.

use serde::{Deserialize, Serialize};

use super::{ARGUMENT_WORDS, Base, ENDS, Field, HEADER_WORDS, Line, Observation, Probe, Task};
use crate::tracefs::offsets::Member;

/// Bytes before the transport header from which on headers of a received packet are fetched: room
/// for an IPv6 header with extensions.
const BEFORE: i64 = 104;

/// What differs between kernels beside offsets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::tracefs) struct Shapes {
    /// Which argument of `ip_output`, `ip_mc_output` and `ip6_output` is the buffer: 2 since 4.4.
    pub(in crate::tracefs) output_buffer: usize,
    /// Which argument of `udp_recvmsg` is the socket: 0 since 4.1.
    pub(in crate::tracefs) taking_socket: usize,
    /// Which argument of the drop function is the buffer: 1 since 6.11.
    pub(in crate::tracefs) dropped_buffer: usize,
    /// Sizes of buffers' data (`end - head`) for which the segment size is fetched: the places are
    /// constant for buffers from the kernel's general allocator.
    pub(in crate::tracefs) ends: [u32; ENDS],
    /// Words of the stack that are fetched with a packet that is received, to tell who asks the filter.
    #[serde(skip)]
    pub(in crate::tracefs) stack: usize,
}

impl Default for Shapes {
    fn default() -> Self {
        Self {
            output_buffer: 2,
            taking_socket: 0,
            dropped_buffer: 0,
            ends: [
                192, 384, 704, 1728, 3776, 7872, 16_064, 32_448, 65_216, 448, 576, 640, 256, 320,
            ],
            stack: 0,
        }
    }
}

/// Adds what a probe fetches; false if that would be too little to be of use.
pub(in crate::tracefs) fn fetch(line: &mut Line<'_>, probe: &Probe, shapes: &Shapes) -> bool {
    let argument = |line: &Line<'_>, index| line.argument(index);
    let Some(first) = argument(line, 0) else { return false };
    match probe.observation {
        Observation::Sent => argument(line, shapes.output_buffer).is_some_and(|skb| {
            let Some(own) = line.behind(&skb, &[Member::SkbSk]) else { return false };
            subflow(line, &own);
            sock(line, &own) && packet(line, &skb, shapes, 0) && {
                let route = [Member::SkbDst, Member::DstDev, Member::DevNet, Member::NetInum];
                line.member(Field::PacketNetns, &skb, &route);
                line.member(Field::Mtu, &skb, &[Member::SkbDst, Member::DstDev, Member::DevMtu]);
                if line.member(Field::Metrics, &skb, &[Member::SkbDst, Member::DstMetrics])
                    && let Some(metrics) = line.behind(&skb, &[Member::SkbDst, Member::DstMetrics])
                {
                    // The lowest two bits of the pointer are flags; see the reader.
                    line.at(&Field::MetricMtu.name(), &metrics, 1, 8);
                }
                line.member(Field::Iif, &skb, &[Member::SkbIif]);
                true
            }
        }),
        Observation::Received => argument(line, 1).is_some_and(|skb| {
            for index in 0..shapes.stack {
                line.word_of_stack(index);
            }
            sock(line, &first) && packet(line, &skb, shapes, -BEFORE)
        }),
        Observation::Child => argument(line, 2)
            .is_some_and(|skb| sock(line, &first) && packet(line, &skb, shapes, -BEFORE)),
        Observation::Dropped => argument(line, shapes.dropped_buffer).is_some_and(|skb| {
            let caller = Base(line.return_address().to_owned());
            let device = [Member::SkbDev, Member::DevNet, Member::NetInum];
            // As for files of sockets.
            line.member(Field::Device, &skb, &[Member::SkbDev]);
            line.member(Field::PacketNetns, &skb, &device);
            line.word(Field::Location, &caller) && packet(line, &skb, shapes, -BEFORE)
        }),
        Observation::State => {
            line.member(Field::Err, &first, &[Member::SkErr]);
            line.member(Field::Retrans, &first, &[Member::TotalRetrans]);
            line.member(Field::Srtt, &first, &[Member::SrttUs]);
            subflow(line, &first);
            let new = argument(line, 1);
            sock(line, &first) && new.is_some_and(|new| line.word(Field::NewState, &new))
        }
        Observation::Listen | Observation::Bound => sock(line, &first),
        Observation::Accepted => line.word(Field::Sock, &Base("$retval".into())),
        Observation::TcpTaken | Observation::UdpClosed => line.word(Field::Sock, &first),
        Observation::UdpTaken => argument(line, shapes.taking_socket)
            .is_some_and(|socket| line.word(Field::Sock, &socket)),
        Observation::Task(change) => task(line, change, &first),
        // A tracepoint fetches what it will.
        Observation::DropTracepoint => false,
    }
}

/// Fetches the fields of a socket.
fn sock(line: &mut Line<'_>, sock: &Base) -> bool {
    let needed = line.word(Field::Sock, sock)
        && line.member(Field::State, sock, &[Member::SkcState])
        && line.member(Field::Family, sock, &[Member::SkcFamily])
        && line.member(Field::Dport, sock, &[Member::SkcDport])
        && line.member(Field::Daddr, sock, &[Member::SkcDaddr])
        && line.member(Field::Saddr, sock, &[Member::SkcSaddr])
        && line.member(Field::Num, sock, &[Member::SkcNum])
        && line.member(Field::Sport, sock, &[Member::InetSport])
        && line.member(Field::Protocol, sock, &[Member::SkProtocol])
        && line.member(Field::Kind, sock, &[Member::SkType]);
    line.member(Field::Netns, sock, &[Member::SkcNet, Member::NetInum]);
    line.member(Field::Owned, sock, &[Member::SkOwned]);
    // Where it is null the read of the file fails, and leaves what stood there before.
    line.member(Field::Socket, sock, &[Member::SkSocket]);
    line.member(Field::File, sock, &[Member::SkSocket, Member::SocketFile]);
    for (high, low, inline, apart) in [
        (Field::Daddr6, Field::Daddr6Low, Member::SkcDaddr6, Member::Np6Daddr),
        (Field::Saddr6, Field::Saddr6Low, Member::SkcSaddr6, Member::Np6Saddr),
    ] {
        let found = match line.offset(inline) {
            Some(place) => Some((sock.clone(), place)),
            None => line.behind(sock, &[Member::InetPinet6]).zip(line.offset(apart)),
        };
        if let Some((base, place)) = found {
            line.at(&high.name(), &base, place, 8);
            line.at(&low.name(), &base, place + 8, 8);
        }
    }
    needed
}

/// Whether a TCP socket is a subflow of MPTCP, and which its connection began with.
fn subflow(line: &mut Line<'_>, sock: &Base) {
    line.member(Field::Mptcp, sock, &[Member::IsMptcp]);
    let first = [Member::UlpData, Member::SubflowConn, Member::MptcpFirst];
    line.member(Field::FirstSubflow, sock, &first);
}

/// What is needed of a buffer, with its headers from `distance` bytes behind its data on.
fn packet(line: &mut Line<'_>, skb: &Base, shapes: &Shapes, distance: i64) -> bool {
    let needed = line.word(Field::Skb, skb)
        && line.member(Field::Len, skb, &[Member::SkbLen])
        && line.member(Field::Head, skb, &[Member::SkbHead])
        && line.member(Field::Data, skb, &[Member::SkbData])
        && line.member(Field::Network, skb, &[Member::SkbNetwork]);
    line.member(Field::End, skb, &[Member::SkbEnd]);
    if let (Some(segment), Some(head)) =
        (line.offset(Member::GsoSize), line.behind(skb, &[Member::SkbHead]))
    {
        for (index, end) in shapes.ends.iter().enumerate() {
            line.at(&Field::Segment.numbered(index), &head, segment + i64::from(*end), 2);
        }
    }
    if let Some(cb) = line.offset(Member::SkbCb) {
        for (field, member) in
            [(Field::FragMax4, Member::FragMax4), (Field::FragMax6, Member::FragMax6)]
        {
            if let Some(within) = line.offset(member) {
                line.at(&field.name(), skb, cb + within, 2);
            }
        }
    }
    let Some(data) = line.behind(skb, &[Member::SkbData]) else { return false };
    needed && line.words(Field::Window, &data, distance, HEADER_WORDS)
}

/// What is needed of a task, or of credentials.
fn task(line: &mut Line<'_>, change: Task, first: &Base) -> bool {
    let ids = [
        (Field::Uid, Member::CredUid),
        (Field::Gid, Member::CredGid),
        (Field::Euid, Member::CredEuid),
        (Field::Egid, Member::CredEgid),
    ];
    if change == Task::Credentials {
        return ids.into_iter().all(|(field, member)| line.member(field, first, &[member]));
    }
    let leader = Member::TaskLeader;
    let Some(process) = line.behind(first, &[leader]) else { return false };
    let mut needed = line.member(Field::Pid, first, &[Member::TaskPid])
        && line.member(Field::Tgid, first, &[Member::TaskTgid])
        && line.start([Field::Start, Field::StartNanos], &process);
    if change == Task::Exit {
        line.member(Field::ExitCode, first, &[leader, Member::TaskExitCode]);
        let dead = line.argument(1);
        return needed && dead.is_some_and(|dead| line.word(Field::Dead, &dead));
    }
    let parent = [Member::TaskParent, Member::TaskTgid];
    needed &= line.member(Field::Parent, first, &parent);
    if let Some(parent) = line.behind(first, &[Member::TaskParent, leader]) {
        line.start([Field::ParentStart, Field::ParentStartNanos], &parent);
    }
    for (field, member) in ids {
        line.member(field, first, &[Member::TaskCred, member]);
    }
    let cgroup = [Member::TaskCgroups, Member::CssCgroup, Member::CgroupKn, Member::KernfsId];
    line.member(Field::Cgroup, first, &cgroup);
    if let Some(comm) = line.offset(Member::TaskComm) {
        line.at(&Field::Comm.name(), &process, comm, 8);
        line.at(&Field::CommLow.name(), &process, comm + 8, 8);
    }
    if change == Task::Exec {
        line.member(Field::ArgStart, first, &[Member::TaskMm, Member::MmArgStart]);
        line.member(Field::ArgEnd, first, &[Member::TaskMm, Member::MmArgEnd]);
        if let Some(arguments) = line.behind(first, &[Member::TaskMm, Member::MmArgStart]) {
            line.words(Field::Arguments, &arguments, 0, ARGUMENT_WORDS);
        }
    }
    needed
}

/// Which argument is which, from the number of arguments that type information gives.
impl Shapes {
    pub(in crate::tracefs) fn of(arguments: impl Fn(&str) -> Option<usize>) -> Self {
        let mut shapes = Self::default();
        if let Some(count @ 1..) = arguments("ip_output") {
            shapes.output_buffer = count - 1;
        }
        if let Some(count) = arguments("udp_recvmsg") {
            shapes.taking_socket = usize::from(count >= 7);
        }
        if arguments("sk_skb_reason_drop").is_some() {
            shapes.dropped_buffer = 1;
        }
        shapes
    }
}
