//! The members of kernel structures that the probes fetch.

macro_rules! members {
    ($($name:ident = $structure:literal . $path:literal,)*) => {
        /// A member of a kernel structure.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub(in crate::tracefs) enum Member {
            $(#[doc = concat!("`", $structure, ".", $path, "`")] $name,)*
        }

        impl Member {
            /// All of them.
            pub(in crate::tracefs) const ALL: &'static [Self] = &[$(Self::$name,)*];
            /// Number of members.
            pub(in crate::tracefs) const COUNT: usize = Self::ALL.len();

            /// Structure, and path of the member in it.
            pub(in crate::tracefs) const fn path(self) -> (&'static str, &'static str) {
                match self { $(Self::$name => ($structure, $path),)* }
            }
        }
    };
}

members! {
    SkcDaddr = "sock_common"."skc_daddr",
    SkcSaddr = "sock_common"."skc_rcv_saddr",
    SkcDport = "sock_common"."skc_dport",
    SkcNum = "sock_common"."skc_num",
    SkcFamily = "sock_common"."skc_family",
    SkcState = "sock_common"."skc_state",
    SkcNet = "sock_common"."skc_net",
    SkcDaddr6 = "sock_common"."skc_v6_daddr",
    SkcSaddr6 = "sock_common"."skc_v6_rcv_saddr",
    // Before 3.13 the addresses of an IPv6 socket are in a structure of their own.
    InetPinet6 = "inet_sock"."pinet6",
    Np6Saddr = "ipv6_pinfo"."rcv_saddr",
    Np6Daddr = "ipv6_pinfo"."daddr",
    SkOwned = "sock"."sk_lock.owned",
    SkProtocol = "sock"."sk_protocol",
    SkType = "sock"."sk_type",
    SkErr = "sock"."sk_err",
    SkSocket = "sock"."sk_socket",
    InetSport = "inet_sock"."inet_sport",
    SrttUs = "tcp_sock"."srtt_us",
    TotalRetrans = "tcp_sock"."total_retrans",
    // MPTCP is of 5.6.
    IsMptcp = "tcp_sock"."is_mptcp",
    UlpData = "inet_connection_sock"."icsk_ulp_data",
    SubflowConn = "mptcp_subflow_context"."conn",
    MptcpFirst = "mptcp_sock"."first",
    NetInum = "net"."ns.inum",
    SocketFile = "socket"."file",
    FileInode = "file"."f_inode",
    InodeNumber = "inode"."i_ino",
    SkbSk = "sk_buff"."sk",
    SkbDev = "sk_buff"."dev",
    SkbIif = "sk_buff"."skb_iif",
    SkbLen = "sk_buff"."len",
    SkbHead = "sk_buff"."head",
    SkbData = "sk_buff"."data",
    SkbEnd = "sk_buff"."end",
    SkbNetwork = "sk_buff"."network_header",
    SkbDst = "sk_buff"."_skb_refdst",
    SkbCb = "sk_buff"."cb",
    GsoSize = "skb_shared_info"."gso_size",
    FragMax4 = "inet_skb_parm"."frag_max_size",
    FragMax6 = "inet6_skb_parm"."frag_max_size",
    DstDev = "dst_entry"."dev",
    DstMetrics = "dst_entry"."_metrics",
    DevNet = "net_device"."nd_net",
    DevMtu = "net_device"."mtu",
    TaskPid = "task_struct"."pid",
    TaskTgid = "task_struct"."tgid",
    TaskComm = "task_struct"."comm",
    TaskCred = "task_struct"."cred",
    TaskLeader = "task_struct"."group_leader",
    TaskParent = "task_struct"."real_parent",
    TaskStart = "task_struct"."start_boottime",
    TaskRealStart = "task_struct"."real_start_time",
    // Before 3.17 that is seconds, with nanoseconds behind them.
    TaskStartSeconds = "task_struct"."real_start_time.tv_sec",
    TaskExitCode = "task_struct"."exit_code",
    TaskMm = "task_struct"."mm",
    TaskCgroups = "task_struct"."cgroups",
    MmArgStart = "mm_struct"."arg_start",
    MmArgEnd = "mm_struct"."arg_end",
    CredUid = "cred"."uid",
    CredGid = "cred"."gid",
    CredEuid = "cred"."euid",
    CredEgid = "cred"."egid",
    CssCgroup = "css_set"."dfl_cgrp",
    CgroupKn = "cgroup"."kn",
    KernfsId = "kernfs_node"."id",
}
