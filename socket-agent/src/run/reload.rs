//! The configuration, read again: only what changed is started anew.

use config::ConfigError;

use super::supervisor::{Supervisor, interest};
use crate::{
    datasets::Configured,
    services::{Interest, Service},
    settings::{Config, Loaded},
};

/// Changes of the datasets by a reload.
#[derive(Debug, Default, PartialEq, Eq)]
struct Changes {
    /// Those that end, to start anew or not.
    stop: Vec<&'static str>,
    /// Those that start, anew or for the first time.
    start: Vec<Configured>,
    /// Those that take over other options while they run.
    update: Vec<Configured>,
}

impl Supervisor<'_> {
    /// Reads the configuration again. One that is wrong is logged, and the old one stays.
    ///
    /// # Errors
    /// The kernel gives no threads or descriptors.
    pub(super) async fn reload(&mut self) -> anyhow::Result<()> {
        match (self.reread)() {
            Ok(loaded) => self.take_over(loaded).await,
            Err(error) => {
                self.refuse(error);
                Ok(())
            }
        }
    }

    /// As [`reload`](Self::reload), but says nothing where nothing has changed.
    ///
    /// # Errors
    /// See there.
    pub(super) async fn look(&mut self) -> anyhow::Result<()> {
        match (self.reread)() {
            Ok(loaded) if loaded.config == self.config => self.wrong = None,
            Ok(loaded) => return self.take_over(loaded).await,
            Err(error) if self.wrong.as_ref() == Some(&error) => {}
            Err(error) => self.refuse(error),
        }
        Ok(())
    }

    fn refuse(&mut self, error: ConfigError) {
        for problem in &error.problems {
            log::error!(target: "config", "{problem}");
        }
        log::error!(target: "config", "the configuration stays as it was");
        self.wrong = Some(error);
    }

    async fn take_over(&mut self, loaded: Loaded) -> anyhow::Result<()> {
        loaded.log();
        let config = loaded.config;
        self.wrong = None;
        self.log_fixed(&config);
        let running: Vec<Configured> = self.group.datasets().cloned().collect();
        let changes = Changes::between(&running, &config.datasets);
        if changes == Changes::default() {
            log::info!(target: "config", "no dataset has changed");
        }
        let Changes { stop, start, update } = changes;
        for dataset in update {
            log::info!(target: "config", "the dataset {} goes on with changed options", dataset.name());
            self.group.update(&dataset)?;
        }
        for name in stop {
            self.stop_one(name).await;
        }
        self.config = config;
        self.change_service(&start)?;
        for dataset in start {
            self.start_one(dataset).await?;
        }
        Ok(())
    }

    /// Logs what only a start of the agent takes into account.
    fn log_fixed(&self, config: &Config) {
        let fixed = [
            ("output", self.started.outputs != config.outputs),
            ("processors", self.started.processors != config.processors),
            ("logging.metrics", self.started.metrics != config.metrics),
        ];
        for (name, _) in fixed.into_iter().filter(|(_, differs)| *differs) {
            log::warn!(
                target: "config",
                "{name} has changed, which needs a restart of the agent; it stays as it was"
            );
        }
    }

    async fn stop_one(&mut self, name: &'static str) {
        log::info!(target: "config", "the dataset {name} stops");
        self.group.stop(Some(name));
        loop {
            match self.group.take_ended(name) {
                Some(Ok(())) => return,
                Some(Err(error)) => {
                    return log::error!(target: "agent", "the dataset {name} failed: {error:#}");
                }
                None => self.next_event().await,
            }
        }
    }

    async fn start_one(&mut self, dataset: Configured) -> anyhow::Result<()> {
        let name = dataset.name();
        log::info!(target: "config", "the dataset {name} starts");
        self.start(dataset)?;
        while !self.group.has_settled_one(name) {
            self.next_event().await;
        }
        if let Some(Err(error)) = self.group.take_ended(name) {
            log::error!(
                target: "agent",
                "the dataset {name} cannot start, the others go on: {error:#}"
            );
        }
        Ok(())
    }

    /// Starts another sensor if another is needed, or the dataset of the one there is starts anew.
    fn change_service(&mut self, start: &[Configured]) -> anyhow::Result<()> {
        let wanted = interest(&self.config);
        let of_flows = start.iter().any(|dataset| dataset.needs().flows.is_some());
        let kind = |interest: Option<&Interest>| {
            interest.map(|interest| matches!(interest, Interest::Flows(_)))
        };
        let current = self.service.as_ref().map(Service::interest);
        if !of_flows && kind(current) == kind(wanted.as_ref()) {
            return Ok(());
        }
        if let Some(service) = self.service.take() {
            service.stop();
        }
        self.start_service(wanted)
    }
}

impl Changes {
    /// From the datasets that run to those that are to.
    fn between(running: &[Configured], wanted: &[Configured]) -> Self {
        let named = |datasets: &[Configured], name| {
            datasets.iter().find(|dataset| dataset.name() == name).cloned()
        };
        let mut changes = Self::default();
        for before in running {
            let name = before.name();
            let Some(after) = named(wanted, name) else {
                changes.stop.push(name);
                continue;
            };
            if *before == after {
                continue;
            }
            let keys = before.needs_restart(&after);
            if keys.is_empty() {
                changes.update.push(after);
                continue;
            }
            log::info!(
                target: "config",
                "the dataset {name} starts anew, as these cannot change while it runs: {}",
                keys.join(", ")
            );
            changes.stop.push(name);
            changes.start.push(after);
        }
        let fresh = wanted.iter().filter(|dataset| named(running, dataset.name()).is_none());
        changes.start.extend(fresh.cloned());
        changes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datasets;

    fn named(names: &[&str]) -> Vec<Configured> {
        names.iter().map(|name| datasets::named(name).unwrap().with_defaults()).collect()
    }

    #[test]
    fn only_what_differs_starts_or_stops() {
        let both = named(&["socket", "auditd"]);
        assert_eq!(Changes::between(&both, &both), Changes::default());
        let less = Changes::between(&both, &named(&["auditd"]));
        assert_eq!((less.stop, less.start, less.update), (vec!["socket"], vec![], vec![]));
        let more = Changes::between(&named(&["auditd"]), &both);
        assert_eq!((more.stop, more.start), (vec![], named(&["socket"])));
    }
}
