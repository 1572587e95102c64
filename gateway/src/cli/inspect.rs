//! `tidegate handler inspect`: what a component says of itself, before anybody runs it.

use super::{Failure, Inspect, console, push::read_component};
use crate::names::ComponentDigest;

pub(super) fn inspect_file(arguments: &Inspect) -> Result<(), Failure> {
    let bytes = read_component(&arguments.file)?;
    console::print(console::table(&inspect(&bytes)?))
}

/// The rows that are shown for a component.
#[expect(clippy::unnecessary_wraps, reason = "admission, which refuses, joins with the handler host")]
fn inspect(bytes: &[u8]) -> Result<Vec<(String, String)>, Failure> {
    Ok(vec![
        ("digest".to_owned(), ComponentDigest::of(bytes).to_string()),
        ("size".to_owned(), format!("{} bytes", bytes.len())),
    ])
}
