//! Reads the Thing Model that goes into the component. Its meaning is checked by the gateway that admits the handler;
//! here only what would surely be refused.

use crate::guest::Guest;
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::fs;

const HINT: &str = "\nhint: a Thing Model says `\"@type\": \"tm:ThingModel\"`";

/// The model without its white space.
pub(crate) fn load(guest: &Guest) -> Result<Vec<u8>> {
    let path = guest.model.display();
    let text = fs::read(&guest.model).with_context(|| {
        format!(
            "cannot read the Thing Model {path}\nhint: write it, or name it in Cargo.toml: [package.metadata.tidegate] \
             thing-model = \"PATH\""
        )
    })?;
    minified(&text).with_context(|| format!("Thing Model {path}"))
}

fn minified(text: &[u8]) -> Result<Vec<u8>> {
    let model: Value = serde_json::from_slice(text)
        .context("this is no JSON\nhint: look at the place that is named for a comma too many, or a quote too few")?;
    let types = model.get("@type").context(["this is no Thing Model: it has no @type", HINT].concat())?;
    let is_model =
        types == "tm:ThingModel" || types.as_array().is_some_and(|list| list.iter().any(|t| t == "tm:ThingModel"));
    ensure!(is_model, "this is no Thing Model: its @type is not tm:ThingModel{HINT}");
    Ok(serde_json::to_vec(&model)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_loses_its_white_space_and_keeps_its_order() {
        let model = minified(b"{ \"@type\": [\"tm:ThingModel\"],\n \"b\": 1, \"a\": 2 }").unwrap();
        assert_eq!(model, br#"{"@type":["tm:ThingModel"],"b":1,"a":2}"#);
    }

    #[test]
    fn what_is_no_thing_model_is_refused() {
        assert!(minified(b"{").is_err());
        assert!(minified(b"{}").is_err());
        assert!(minified(br#"{"@type":"Thing"}"#).is_err());
    }
}
