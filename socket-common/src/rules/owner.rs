//! Who owns a socket, by what a process did with it.

use crate::{Rank, kernel::tcp_state::SYN_SENT};

/// Rank of the process that sends a TCP packet while it holds the socket's lock: the first data or FIN is asked for
/// by the process that uses the connection, a SYN by the one that opens it. `state` reads the socket's state.
#[inline(always)]
#[must_use]
pub fn of_sender(is_payload: bool, state: impl FnOnce() -> u8) -> Rank {
    if is_payload {
        Rank::FirstIo
    } else if state() == SYN_SENT {
        Rank::Opener
    } else {
        Rank::Unknown
    }
}

/// Rank of an owner that is taken over from another socket, where it had the rank `known`: no higher than `most`.
/// What comes in through a listener is its owner's at most as a listener's is; of a subflow that was added to an
/// MPTCP connection nothing is said of data.
#[inline(always)]
#[must_use]
pub fn taken_over(known: u8, most: Rank) -> u8 {
    let most = most as u8;
    if known < most { known } else { most }
}

/// Whether the current task acts on a subflow of MPTCP for another process, whose connection it is: the kernel's
/// threads do, and whoever manages paths adds subflows (`is_added`). `is_of_kernel` asks whether the task is a
/// thread of the kernel.
#[inline(always)]
#[must_use]
pub fn acts_for_connection(
    is_added: bool,
    rank: Rank,
    is_of_kernel: impl FnOnce() -> bool,
) -> bool {
    (is_added && !matches!(rank, Rank::FirstIo)) || is_of_kernel()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::tcp_state::ESTABLISHED;

    #[test]
    fn data_says_more_of_a_sender_than_a_syn() {
        assert_eq!(of_sender(true, || SYN_SENT), Rank::FirstIo);
        assert_eq!(of_sender(false, || SYN_SENT), Rank::Opener);
        assert_eq!(of_sender(false, || ESTABLISHED), Rank::Unknown);
    }

    #[test]
    fn what_is_taken_over_ranks_no_higher_than_it_may() {
        let (creator, opener, first) =
            (Rank::Creator as u8, Rank::Opener as u8, Rank::FirstIo as u8);
        assert_eq!(taken_over(creator, Rank::Opener), creator);
        assert_eq!(taken_over(opener, Rank::Opener), opener);
        assert_eq!(taken_over(first, Rank::Opener), opener);
    }

    #[test]
    fn a_path_manager_owns_only_what_it_sends_data_over() {
        assert!(acts_for_connection(true, Rank::Opener, || false));
        assert!(!acts_for_connection(true, Rank::FirstIo, || false));
        assert!(acts_for_connection(true, Rank::FirstIo, || true));
        assert!(!acts_for_connection(false, Rank::Opener, || false));
    }
}
