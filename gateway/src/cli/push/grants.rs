//! What a component wants beside what its Thing was granted: shown before it is pushed, and given after a question, through
//! the action `configure` of the Thing `gateway`.
//!
//! What was given for a push that is refused is taken back, where the Thing had no such grant before.

use std::{
    collections::BTreeMap,
    io::{self, BufRead as _, IsTerminal as _},
};

use bytes::Bytes;
use clap::Args;
use handler_host::HandlerComponent;
use serde_json::{Map, Value, json};

use crate::{
    cli::{
        Exit, Failure, console,
        consumer::{Consumer, Found},
        terminal::plain,
    },
    fit,
};

#[derive(Debug, Default, Args)]
pub(in crate::cli) struct Given {
    /// Give the Thing a grant: what stands under [grants.LABEL] of its file, on one line
    ///
    /// Such as --grant 'lamp={ kind = "gpio", chip = "pi", line = 27, direction = "output" }'
    #[arg(long = "grant", value_name = "LABEL=TABLE", value_parser = grant)]
    grants: Vec<(String, Value)>,
    /// Give the Thing a setting: what stands under [settings] of its file, such as --setting samplingInterval=5000
    #[arg(long = "setting", value_name = "KEY=VALUE", value_parser = assignment)]
    settings: Vec<(String, Value)>,
    /// Give the grants without asking
    #[arg(long)]
    yes: bool,
}

/// `KEY=VALUE` with a value in TOML.
fn assignment(text: &str) -> Result<(String, Value), String> {
    let (key, value) = text.split_once('=').ok_or("a name, `=` and a TOML value are expected")?;
    let key = key.trim();
    let refused = |why: &str| match value.trim_start().starts_with(|first: char| first.is_ascii_alphabetic()) {
        true => format!("`{key}`: no TOML value: {why}; text stands in double quotes"),
        false => format!("`{key}`: no TOML value: {why}"),
    };
    let read: BTreeMap<String, Value> =
        toml::from_str(&format!("value = {value}")).map_err(|error| refused(error.message()))?;
    let value = read.into_iter().find_map(|(name, value)| (name == "value").then_some(value));
    Ok((key.to_owned(), value.ok_or_else(|| refused("there is none"))?))
}

/// `LABEL=TABLE`.
fn grant(text: &str) -> Result<(String, Value), String> {
    match assignment(text)? {
        (label, table @ Value::Object(_)) => Ok((label, table)),
        (label, _) => Err(format!("`{label}`: a grant is a table, such as {{ kind = \"gpio\", .. }}")),
    }
}

/// One want of a component, held against what the Thing has.
struct Wanted {
    label: String,
    row: (String, String),
    /// Nothing says that it is granted, and it is needed.
    missing: bool,
}

impl Given {
    /// Nothing is to be given.
    pub(super) fn is_empty(&self) -> bool {
        self.grants.is_empty() && self.settings.is_empty()
    }

    fn grant(&self, label: &str) -> Option<&Value> {
        self.grants.iter().find_map(|(given, grant)| (given == label).then_some(grant))
    }

    /// Holds the settings against the Thing Model; those that it does not have are told.
    ///
    /// # Errors
    /// When one contradicts the property of its name.
    pub(super) fn fit(&self, component: &HandlerComponent) -> Result<(), Failure> {
        let misfits = fit::settings(component.model_json(), &self.settings.iter().cloned().collect());
        for misfit in misfits {
            let (said, hint) = (misfit.sentence(), misfit.hint);
            if misfit.is_refused {
                return Err(Failure::new(Exit::Usage, said).with_hint(hint));
            }
            console::note(format!("warning: {said}\n  hint: {hint}"));
        }
        Ok(())
    }

    /// Shows what the component wants and which of it is new; the labels that nothing is known to grant.
    pub(super) fn report(&self, component: &HandlerComponent, granted: &Value) -> Vec<String> {
        let wanted: Vec<Wanted> = component.wants().iter().map(|want| self.wanted(want, granted)).collect();
        if !wanted.is_empty() {
            let rows: Vec<_> = wanted.iter().map(|wanted| wanted.row.clone()).collect();
            console::note(format!("It wants these devices:\n{}", console::table(&rows)));
        }
        wanted.into_iter().filter(|wanted| wanted.missing).map(|wanted| wanted.label).collect()
    }

    fn wanted(&self, want: &handler_host::Want, granted: &Value) -> Wanted {
        let kind = serde_json::to_value(want).unwrap_or_default()["kind"].as_str().unwrap_or_default().to_owned();
        let (has, given) = (grant_of(granted, &want.label), self.grant(&want.label));
        let standing = match (given, has) {
            (Some(given), None) => format!("new: {given}"),
            (Some(given), Some(_)) => format!("another: {given}"),
            (None, Some(_)) => "granted".to_owned(),
            (None, None) if want.optional => "not granted, it works without".to_owned(),
            (None, None) => "not known to be granted".to_owned(),
        };
        let text = plain(&format!("{kind}: {}; {standing}", want.description));
        let missing = given.is_none() && has.is_none() && !want.optional;
        Wanted { label: want.label.clone(), row: (format!("  {}", plain(&want.label)), text), missing }
    }

    /// Asks whether the Thing shall have it.
    pub(super) fn ask(&self, thing: &str) -> Result<(), Failure> {
        if self.grants.is_empty() || self.yes {
            return Ok(());
        }
        let labels: Vec<_> = self.grants.iter().map(|(label, grant)| plain(&format!("{label} = {grant}"))).collect();
        let what = format!("this gives `{}` {}", plain(thing), labels.join(", "));
        if !io::stdin().is_terminal() {
            return Err(Failure::new(Exit::Usage, what).with_hint("add --yes if that is meant"));
        }
        console::note(format!("{what}. Give it? [y/N]"));
        let mut answer = String::new();
        let read = io::stdin().lock().read_line(&mut answer);
        match read.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes") {
            true => Ok(()),
            false => Err(Failure::new(Exit::Interrupted, "nothing was changed").with_hint("`y` gives it")),
        }
    }

    /// Gives it.
    pub(super) async fn give(&self, consumer: &Consumer, thing: &str) -> Result<(), Failure> {
        let (grants, settings) = (self.grants.iter().cloned().collect(), self.settings.iter().cloned().collect());
        configure(consumer, thing, grants, settings).await.map_err(|failure| match failure.exit {
            Exit::Refused if failure.causes.iter().any(|cause| cause.starts_with("/grants")) => failure.with_hint(
                "`tidegate hardware` shows what can be granted; the words are those of [grants.LABEL] in a Thing's file",
            ),
            Exit::Refused if failure.causes.iter().any(|cause| cause.starts_with("/settings")) => {
                failure.with_hint(format!("`tidegate thing show {}` shows what its properties allow", plain(thing)))
            }
            _ => failure,
        })
    }

    /// Takes back what the Thing did not have before.
    pub(super) async fn take_back(&self, consumer: &Consumer, thing: &str, granted: &Value) {
        let new = self.grants.iter().filter(|(label, _)| grant_of(granted, label).is_none());
        let grants: Map<String, Value> = new.map(|(label, _)| (label.clone(), Value::Null)).collect();
        if grants.is_empty() {
            return;
        }
        let taken = configure(consumer, thing, grants, Map::new()).await;
        console::note(match taken {
            Ok(()) => "What it was granted for this was taken back.".to_owned(),
            Err(failure) => format!("What it was granted for this could not be taken back: {}", failure.sentence()),
        });
    }
}

/// The grant of a label in the property `grants` of a handler's Thing.
fn grant_of<'a>(granted: &'a Value, label: &str) -> Option<&'a Value> {
    let all = granted.as_array().into_iter().flatten();
    all.filter(|want| want["granted"] == true).find_map(|want| (want["label"] == label).then(|| &want["grant"]))
}

async fn configure(
    consumer: &Consumer,
    thing: &str,
    grants: Map<String, Value>,
    settings: Map<String, Value>,
) -> Result<(), Failure> {
    let gateway: Found = consumer.thing("gateway").await?;
    let input = json!({ "thing": thing, "grants": grants, "settings": settings });
    consumer.invoke(&gateway, "configure", &[], Some(Bytes::from(input.to_string()))).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_assignment_is_a_key_and_a_toml_value() {
        let rows = [
            ("samplingInterval=5000", Ok(("samplingInterval", json!(5000)))),
            ("a = \"x=y\"", Ok(("a", json!("x=y")))),
            ("lamp={ kind = \"gpio\", line = 0x1B }", Ok(("lamp", json!({ "kind": "gpio", "line": 27 })))),
            ("lamp", Err("`=`")),
            ("lamp=", Err("`lamp`: no TOML value")),
            ("mode=eco", Err("`mode`: no TOML value")),
            ("mode=eco", Err("text stands in double quotes")),
            ("lamp={ kind = gpio }", Err("`lamp`: ")),
            ("lamp=1\nother = 2", Ok(("lamp", json!(1)))),
        ];
        for (text, expected) in rows {
            match (assignment(text), expected) {
                (Ok((key, value)), Ok(expected)) => assert_eq!((key.as_str(), value), expected, "{text}"),
                (Err(error), Err(expected)) => assert!(error.contains(expected), "{text}: {error}"),
                (got, _) => panic!("{text}: {got:?}"),
            }
        }
        assert!(grant("lamp={ kind = \"gpio\" }").is_ok());
        assert!(grant("lamp=17").unwrap_err().starts_with("`lamp`: a grant is a table"));
    }
}
