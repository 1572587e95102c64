//! `tidegate thing write`: one property, its value checked before it is sent.

use clap::Args;
use serde_json::json;

use crate::cli::{Failure, access::GatewayArgs, console, terminal::plain, value};

#[derive(Debug, Args)]
pub(in crate::cli) struct Write {
    /// Name, id or title of the Thing
    thing: String,
    /// Name of the property
    property: String,
    /// JSON, or a bare word or number
    #[arg(allow_negative_numbers = true)]
    value: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    gateway: GatewayArgs,
}

pub(super) async fn write(arguments: &Write) -> Result<(), Failure> {
    let consumer = arguments.gateway.consumer()?;
    let found = consumer.thing(&arguments.thing).await?;
    let name = &arguments.property;
    let property = found.property(name)?;
    let written = value::typed(&arguments.value, &property.schema)?;
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
