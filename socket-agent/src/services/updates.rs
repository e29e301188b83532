//! Options on their way to a dataset that runs.

use std::{
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::Context as _;
use nix::sys::eventfd::{EfdFlags, EventFd};

/// The end of the supervisor.
pub(crate) struct Updater<T> {
    arrived: Arc<EventFd>,
    latest: Arc<Mutex<Option<T>>>,
}

/// The end of the dataset.
pub(crate) struct Updates<T> {
    arrived: Arc<EventFd>,
    take: Box<dyn Fn() -> Option<T> + Send>,
}

/// Both ends of a channel for options.
///
/// # Errors
/// The kernel has no more descriptors.
pub(crate) fn updates<T: Send + 'static>() -> anyhow::Result<(Updater<T>, Updates<T>)> {
    let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
    let arrived = EventFd::from_value_and_flags(0, flags).context("cannot make an event")?;
    let arrived = Arc::new(arrived);
    let latest: Arc<Mutex<Option<T>>> = Arc::default();
    let slot = Arc::clone(&latest);
    let take = move || slot.lock().unwrap_or_else(PoisonError::into_inner).take();
    Ok((
        Updater { arrived: Arc::clone(&arrived), latest },
        Updates { arrived, take: Box::new(take) },
    ))
}

// === impl Updater ===

impl<T> Updater<T> {
    /// Sends options; earlier ones that have not been taken are replaced.
    ///
    /// # Errors
    /// The kernel refuses to wake the dataset.
    pub(crate) fn send(&self, options: T) -> anyhow::Result<()> {
        *self.latest.lock().unwrap_or_else(PoisonError::into_inner) = Some(options);
        self.arrived.write(1).context("cannot wake a dataset")?;
        Ok(())
    }
}

// === impl Updates ===

impl<T: 'static> Updates<T> {
    /// The options that have been sent last, if they have not been taken.
    pub(crate) fn take(&self) -> Option<T> {
        // Refused where nothing was sent.
        let _ = self.arrived.read();
        (self.take)()
    }

    /// Another descriptor that becomes readable when options are sent.
    ///
    /// # Errors
    /// The process has no more descriptors.
    pub(crate) fn descriptor(&self) -> anyhow::Result<OwnedFd> {
        self.arrived.as_fd().try_clone_to_owned().context("cannot duplicate an event")
    }

    /// The same for options of another type.
    pub(crate) fn map<P: 'static>(
        self,
        options: impl Fn(T) -> Option<P> + Send + 'static,
    ) -> Updates<P> {
        let Self { arrived, take } = self;
        Updates { arrived, take: Box::new(move || take().and_then(&options)) }
    }
}

impl<T> AsFd for Updates<T> {
    /// Becomes readable when options are sent.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.arrived.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_options_arrive_once() {
        let (sender, receiver) = updates().unwrap();
        let receiver = receiver.map(|number: u32| number.checked_sub(1));
        assert_eq!(receiver.take(), None);
        sender.send(7).unwrap();
        sender.send(3).unwrap();
        assert_eq!(receiver.take(), Some(2));
        assert_eq!(receiver.take(), None);
        sender.send(0).unwrap();
        assert_eq!(receiver.take(), None, "of another type");
    }
}
