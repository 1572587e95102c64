//! `tidegate thing write`: one property, its value checked before it is sent.

use clap::Args;
use serde_json::json;

use crate::cli::{Exit, Failure, access::GatewayArgs, console, terminal::plain, value};

#[derive(Debug, Args)]
pub(in crate::cli) struct Write {
    /// Name, id or title of the Thing
    thing: String,
    /// Name of the property, or `NAME=VALUE`
    property: String,
    /// JSON, or a bare word or number
    #[arg(allow_negative_numbers = true)]
    value: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    gateway: GatewayArgs,
}

impl Write {
    /// The property and its value, as two words or as one: no name of a property has a `=` in it.
    fn assignment(&self) -> Result<(&str, &str), Failure> {
        let (thing, property) = (&self.thing, self.property.as_str());
        match (&self.value, property.split_once('=')) {
            (Some(value), None) => Ok((property, value)),
            (None, Some((name, value))) => Ok((name, value)),
            (Some(_), Some(_)) => Err(Failure::new(Exit::Usage, "one property is written at a time")
                .with_hint(format!("`tidegate thing write {thing} NAME VALUE`, or NAME=VALUE alone"))),
            (None, None) => Err(Failure::new(Exit::Usage, format!("there is no value for `{property}`"))
                .with_hint(format!("`tidegate thing write {thing} {property} VALUE`"))),
        }
    }
}

pub(super) async fn write(arguments: &Write) -> Result<(), Failure> {
    let consumer = arguments.gateway.consumer()?;
    let (name, text) = arguments.assignment()?;
    let found = consumer.thing(&arguments.thing).await?;
    let property = found.property(name)?;
    let written = value::typed(text, &property.schema)?;
    if property.is_writable() {
        value::check(&written, &property.schema, "the value")?;
    }
    consumer.write(&found, name, &written).await?;
    match arguments.json {
        true => console::print_json(&json!({"thing": found.name, "property": name, "value": written})),
        false => {
            let shown = value::shown(&written, Some(&property.schema));
            console::print(plain(&format!("{} of {} is {shown}", name, found.name)))
        }
    }
}
