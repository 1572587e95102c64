//! The simulated board as a Thing: what its parts show, and the hands that set, move, break and press them.
//!
//! It exists only where the configuration asks for the simulated board; no real hardware is reached from here.

use handler_host::Value;
use serde::Deserialize;
use serde_json::json;
use things::{Board, Drift, PartFault};

use crate::exposed_thing::outlet::Answer;
use crate::interaction::InteractionError;

/// How long a button is held when nothing is said, in milliseconds.
const PRESS_MS: u64 = 200;

/// The simulated board.
#[derive(Debug)]
pub(crate) struct BoardBehavior {
    board: Board,
}

#[derive(Deserialize)]
struct Set {
    part: String,
    quantity: String,
    value: f64,
}

/// Exactly one of `to` and `perSecond`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Move {
    part: String,
    quantity: String,
    to: Option<f64>,
    per_second: Option<f64>,
    duration: u64,
}

#[derive(Deserialize)]
struct Fail {
    part: String,
    fault: PartFault,
}

#[derive(Deserialize)]
struct Press {
    part: String,
    duration: Option<u64>,
}

impl BoardBehavior {
    pub(crate) fn new(board: Board) -> Self {
        Self { board }
    }

    pub(crate) fn read(&self, name: &str) -> Result<Answer, InteractionError> {
        match name {
            "parts" => Answer::json(&self.parts()),
            _ => state(&self.board),
        }
    }

    /// The parts in the words of the Thing Model, each quantity with its present value.
    fn parts(&self) -> Vec<serde_json::Value> {
        let shown = serde_json::to_value(self.board.snapshot()).unwrap_or_default();
        let part = |part: &things::PartDescription| {
            let quantities: Vec<_> = part
                .quantities
                .iter()
                .map(|quantity| {
                    let value = &shown[part.name][quantity.name];
                    let value = value.as_f64().or_else(|| value.as_bool().map(|on| f64::from(u8::from(on))));
                    json!({
                        "quantity": quantity.name,
                        "value": value.unwrap_or_default(),
                        "unit": quantity.unit,
                        "minimum": quantity.minimum,
                        "maximum": quantity.maximum,
                    })
                })
                .collect();
            json!({
                "part": part.name,
                "kind": part.title,
                "connection": part.place,
                "quantities": quantities,
                "fault": shown[part.name]["fault"],
                "faults": part.faults,
            })
        };
        self.board.parts().iter().map(part).collect()
    }

    pub(crate) fn invoke(&self, action: &str, input: Option<Value>) -> Result<Option<Value>, InteractionError> {
        let done = match action {
            "set" => {
                let set: Set = parsed(input)?;
                self.board.set(&set.part, &set.quantity, set.value)
            }
            "drift" => {
                let Move { part, quantity, to, per_second, duration } = parsed(input)?;
                let drift = match (to, per_second) {
                    (Some(value), None) => Drift::To(value),
                    (None, Some(rate)) => Drift::PerSecond(rate),
                    _ => return Err(InteractionError::invalid("a drift has either `to` or `perSecond`".to_owned())),
                };
                self.board.drift(&part, &quantity, drift, duration)
            }
            "fail" => {
                let fail: Fail = parsed(input)?;
                self.board.fail(&fail.part, fail.fault)
            }
            _ => {
                let press: Press = parsed(input)?;
                self.board.press(&press.part, press.duration.unwrap_or(PRESS_MS))
            }
        };
        done.map(|()| None).map_err(|error| InteractionError::invalid(error.to_string()))
    }
}

/// What the board shows now.
pub(crate) fn state(board: &Board) -> Result<Answer, InteractionError> {
    Answer::json(&board.snapshot())
}

fn parsed<T: serde::de::DeserializeOwned>(input: Option<Value>) -> Result<T, InteractionError> {
    let text = match input {
        Some(Value::Json(text)) => text,
        _ => "null".to_owned(),
    };
    let value: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
    T::deserialize(value).map_err(|error| InteractionError::invalid(error.to_string()))
}
