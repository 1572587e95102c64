//! Descriptors: every connection needs one, and the system gives a process only so many.
//!
//! The soft limit is there for old programs; it is raised to the hard one. Where that is too small for what is configured, the
//! budgets of connections shrink, in proportion: a gateway that runs out of descriptors could not open its own files and
//! devices either.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::config::Config;

/// What the gateway needs besides its clients': files, buses, lines, the broker.
const OWN: usize = 128;

/// Raises the limit of this process; answers how many descriptors it may have.
pub(crate) fn raise() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let most = |limit: Option<u64>| limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
    if limit.current == limit.maximum {
        return most(limit.current);
    }
    match setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }) {
        Ok(()) => most(limit.maximum),
        Err(error) => {
            tracing::warn!(%error, "the limit of open files cannot be raised");
            most(limit.current)
        }
    }
}

/// Makes the budgets of `config` fit into `descriptors`; says so where they did not.
pub(crate) fn fit(config: &mut Config, descriptors: usize) {
    let mqtt = if config.mqtt.listen.is_some() { config.mqtt.limits.clients_max } else { 0 };
    let (requests, observers) = (config.limits.connections_max, config.limits.observers_max);
    let wanted = requests + observers + mqtt;
    let available = descriptors.saturating_sub(OWN);
    if wanted <= available {
        return;
    }
    // All are counts of connections, of 65,536 at most.
    let share = |part: usize| (part * available / wanted).max(1);
    config.limits.connections_max = share(requests);
    config.limits.observers_max = share(observers);
    config.mqtt.limits.clients_max = share(config.mqtt.limits.clients_max);
    tracing::warn!(
        descriptors,
        wanted = wanted + OWN,
        connections_max = config.limits.connections_max,
        observers_max = config.limits.observers_max,
        mqtt_clients_max = config.mqtt.limits.clients_max,
        "fewer connections than configured: the limit of open files is too small (`LimitNOFILE=`, `ulimit -n`)"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_is_left_alone_and_what_does_not_shrinks_in_proportion() {
        let mut config = Config::default();
        fit(&mut config, 512 + 1_024 + OWN);
        assert_eq!(config.limits, Config::default().limits);
        fit(&mut config, 768 + OWN);
        assert_eq!((config.limits.connections_max, config.limits.observers_max), (256, 512));
        fit(&mut config, 10);
        assert_eq!((config.limits.connections_max, config.limits.observers_max), (1, 1));
        let mut config = Config::default();
        config.mqtt.listen = Some(config.listen);
        fit(&mut config, 1_000 + OWN);
        let sum = config.limits.connections_max + config.limits.observers_max + config.mqtt.limits.clients_max;
        assert!((990..=1_000).contains(&sum), "{sum}");
    }
}
