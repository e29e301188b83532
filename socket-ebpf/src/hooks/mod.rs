//! Where the kernel is watched. Each file turns what its hooks are given into facts for
//! [`flow`](crate::flow).
//!
//! | fact | `fentry` | `kprobe` | `cgroup` |
//! |---|---|---|---|
//! | packet out | `cgroup_skb/egress`, else `ip_output`, `ip_mc_output`, `ip6_output` | the same | `cgroup_skb/egress` |
//! | packet in | `cgroup_skb/ingress`, else `sk_filter_trim_cap` | the same | `cgroup_skb/ingress` |
//! | TCP state | `inet_sock_set_state` | the same, else `tcp_set_state`, `inet_csk_listen_start` | `inet_sock_set_state` |
//! | accepted | `inet_csk_accept` | the same | first data |
//! | UDP bound | `udp_v4_get_port`, `udp_v6_get_port` | the same | `post_bind4`, `post_bind6` |
//! | UDP closed | `udp_destroy_sock`, `udpv6_destroy_sock` | the same | `sock_release` |
//! | data received | `tcp_rcv_space_adjust`, `udp_recvmsg`, `udpv6_recvmsg` | the same | `tcp_rcv_space_adjust`, `sock_recv_length` |
//! | state of open sockets | `sample`, run by the agent | the same | the same |
//! | no live socket | `kfree_skb`, `net_dev_queue`, `tcp_send_reset` | the same | the same |
//! | process | `sched_process_fork`, `sched_process_exec`, `sched_process_exit` | the same | the same |

#[cfg(not(feature = "perf"))]
mod cgroup;
#[cfg(not(feature = "perf"))]
pub mod copies;
#[cfg(feature = "perf")]
mod early;
#[cfg(not(feature = "perf"))]
mod event;
#[cfg(not(feature = "perf"))]
mod fentry;
#[cfg(not(feature = "perf"))]
mod iterator;
mod kprobe;
#[cfg(not(feature = "perf"))]
mod sample;
#[cfg(not(feature = "perf"))]
mod tracepoint;
