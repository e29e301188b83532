//! What a probe can fetch, and how that is written.

/// Words of packet headers that are fetched.
pub(in crate::tracefs) const HEADER_WORDS: usize = 16;
/// Words of the argument block of a process.
pub(in crate::tracefs) const ARGUMENT_WORDS: usize = 64;
/// Places of the segment size in a buffer, which depend on the size of the buffer.
pub(in crate::tracefs) const ENDS: usize = 14;

macro_rules! fields {
    ($($name:ident,)*) => {
        /// A value in a sample.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub(in crate::tracefs) enum Field { $(#[allow(missing_docs)] $name,)* }

        impl Field {
            const NAMED: &'static [(Self, &'static str)] = &[$((Self::$name, stringify!($name)),)*];
            /// Number of fields.
            pub(in crate::tracefs) const COUNT: usize = Self::NAMED.len();

            /// The name it has in the probe.
            pub(in crate::tracefs) fn name(self) -> String {
                Self::NAMED[self as usize].1.to_lowercase()
            }

            /// The field of this name.
            pub(in crate::tracefs) fn from_name(name: &str) -> Option<Self> {
                let found = Self::NAMED.iter().find(|(_, own)| own.eq_ignore_ascii_case(name))?;
                Some(found.0)
            }
        }
    };
}

fields! {
    // The socket.
    Sock, State, Family, Num, Dport, Daddr, Saddr, Netns, Daddr6, Daddr6Low, Saddr6, Saddr6Low,
    Protocol, Kind, Sport, Owned, Socket, File, Err, Retrans, Srtt, Mptcp, FirstSubflow,
    // The buffer.
    Skb, Len, Head, Data, Network, End, Iif, Device, PacketNetns, Mtu, Metrics, MetricMtu, FragMax4, FragMax6,
    Window, Segment,
    // Other arguments.
    NewState, Location, Dead, Stack,
    // The task.
    Pid, Tgid, Start, Comm, CommLow, Uid, Gid, Euid, Egid, Cgroup, Parent, ParentStart, ExitCode,
    StartNanos, ParentStartNanos, ArgStart, ArgEnd, Arguments,
    // Of tracepoints.
    Filename, DstId, DstRoot,
    // Of trials.
    Word,
}

impl Field {
    /// Name of one of several words that are fetched one after the other.
    pub(in crate::tracefs) fn numbered(self, index: usize) -> String {
        if index == 0 { self.name() } else { format!("{}_{index}", self.name()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_back() {
        for (field, _) in Field::NAMED {
            assert_eq!(Field::from_name(&field.name()), Some(*field));
        }
        assert_eq!(Field::Window.numbered(0), "window");
        assert_eq!(Field::Window.numbered(3), "window_3");
        assert_eq!(Field::from_name("window_3"), None);
    }
}
