//! The topics of a gateway: where each affordance is published, and what a publish to one of them asks for.
//!
//! The forms in `td::mqtt_forms` are written with these names. Names of Things and affordances contain neither `/` nor wildcards,
//! and the gateway's own name is checked when its configuration is read.

use std::sync::Arc;

/// The topics below `tidegate/{gateway's name}`.
#[derive(Debug, Clone)]
pub(crate) struct Topics {
    prefix: Arc<str>,
}

/// What a publish asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked<'a> {
    /// `.../properties/{name}/set`: the payload is the value.
    Write { thing: &'a str, name: &'a str },
    /// `.../actions/{name}`: the payload is the input.
    Invoke { thing: &'a str, name: &'a str },
    /// `.../actions/{name}/cancel`: the payload is the invocation's id.
    Cancel { thing: &'a str, name: &'a str },
}

impl Topics {
    /// Two gateways with different names can share a broker.
    pub(crate) fn of(gateway: &str) -> Self {
        Self { prefix: format!("tidegate/{gateway}").into() }
    }

    /// Whether the gateway is there: `online` or `offline`.
    pub(crate) fn gateway_status(&self) -> String {
        format!("{}/status", self.prefix)
    }

    /// The Thing Description of a Thing, and the root of its topics.
    pub(crate) fn thing(&self, thing: &str) -> String {
        format!("{}/things/{thing}", self.prefix)
    }

    /// How a Thing stands: `online`, `stale` or `offline`.
    pub(crate) fn status(&self, thing: &str) -> String {
        format!("{}/things/{thing}/status", self.prefix)
    }

    pub(crate) fn property(&self, thing: &str, name: &str) -> String {
        format!("{}/things/{thing}/properties/{name}", self.prefix)
    }

    pub(crate) fn write(&self, thing: &str, name: &str) -> String {
        format!("{}/things/{thing}/properties/{name}/set", self.prefix)
    }

    pub(crate) fn event(&self, thing: &str, name: &str) -> String {
        format!("{}/things/{thing}/events/{name}", self.prefix)
    }

    pub(crate) fn action(&self, thing: &str, name: &str) -> String {
        format!("{}/things/{thing}/actions/{name}", self.prefix)
    }

    pub(crate) fn action_status(&self, thing: &str, name: &str) -> String {
        format!("{}/things/{thing}/actions/{name}/status", self.prefix)
    }

    /// The filters under which everything arrives that can be asked for.
    pub(crate) fn asked_filters(&self) -> [String; 3] {
        ["properties/+/set", "actions/+", "actions/+/cancel"].map(|rest| format!("{}/things/+/{rest}", self.prefix))
    }

    /// Of which Thing, and of which of its affordances, `topic` tells; a filter is taken by what it names.
    pub(crate) fn told<'a>(&self, topic: &'a str) -> (Option<&'a str>, Option<&'a str>) {
        let below = topic.strip_prefix(&*self.prefix).and_then(|rest| rest.strip_prefix("/things/"));
        let mut levels = below.into_iter().flat_map(|rest| rest.splitn(4, '/'));
        let name = |level: &&str| !matches!(*level, "+" | "#");
        (levels.next().filter(name), levels.nth(1).filter(name))
    }

    /// What a publish to `topic` asks for; `None`: it is no topic that takes anything.
    pub(crate) fn asked<'a>(&self, topic: &'a str) -> Option<Asked<'a>> {
        let rest = topic.strip_prefix(&*self.prefix)?.strip_prefix("/things/")?;
        let levels: Vec<&str> = rest.splitn(6, '/').collect();
        match *levels.as_slice() {
            [thing, "properties", name, "set"] => Some(Asked::Write { thing, name }),
            [thing, "actions", name] => Some(Asked::Invoke { thing, name }),
            [thing, "actions", name, "cancel"] => Some(Asked::Cancel { thing, name }),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_asks_for_what_its_form_says() {
        let topics = Topics::of("lab");
        let (thing, name) = ("relay", "on");
        assert_eq!(topics.asked(&topics.write(thing, name)), Some(Asked::Write { thing, name }));
        assert_eq!(topics.asked(&topics.action(thing, name)), Some(Asked::Invoke { thing, name }));
        let cancel = format!("{}/cancel", topics.action(thing, name));
        assert_eq!(topics.asked(&cancel), Some(Asked::Cancel { thing, name }));
        for other in
            ["", "x", "tidegate/lab", "tidegate/lab/things/relay/properties/on", "tidegate/lab2/things/a/actions/b"]
        {
            assert_eq!(topics.asked(other), None, "{other}");
        }
        assert_eq!(topics.told(&topics.property(thing, name)), (Some(thing), Some(name)));
        assert_eq!(topics.told(&topics.action_status(thing, name)), (Some(thing), Some(name)));
        assert_eq!(topics.told(&topics.status(thing)), (Some(thing), None));
        assert_eq!(topics.told("tidegate/lab/things/+/properties/on"), (None, Some("on")));
        assert_eq!(topics.told("#"), (None, None));
        assert_eq!(topics.asked("tidegate/lab/things/a/actions/b/cancel/c"), None);
        assert_eq!(topics.asked(&topics.status(thing)), None);
    }
}
