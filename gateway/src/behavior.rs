//! What stands behind an exposed Thing (WoT Architecture: *behavior*). A closed set; bindings know none of it.
//!
//! A behavior is asked only for what exists in the Thing's description and with values that fit it.

pub(crate) mod board;
pub(crate) mod gateway;
pub(crate) mod handler;
pub(crate) mod handler_control;

use std::sync::Arc;

use handler_host::{Outcome, Value};
use uuid::Uuid;

use crate::exposed_thing::outlet::Answer;
use crate::interaction::{Context, InteractionError};
use board::BoardBehavior;
use gateway::GatewayBehavior;
use handler::HandlerBehavior;
use handler_control::HandlerControl;

/// What answers for a Thing.
#[derive(Debug)]
pub(crate) enum Behavior {
    /// A Wasm component in its own task.
    Handler(HandlerBehavior),
    /// The Thing that a handler itself is.
    HandlerControl(Box<HandlerControl>),
    /// The gateway.
    Gateway(GatewayBehavior),
    /// The simulated board.
    Board(BoardBehavior),
}

impl Behavior {
    pub(crate) async fn read(&self, name: &Arc<str>, context: &Context) -> Result<Answer, InteractionError> {
        match self {
            Self::Handler(handler) => handler.read(name, context).await,
            Self::HandlerControl(control) => control.read(name),
            Self::Gateway(gateway) => gateway.read(name),
            Self::Board(board) => board.read(name),
        }
    }

    pub(crate) async fn write(
        &self,
        values: Vec<(Arc<str>, Value)>,
        context: &Context,
    ) -> Result<(), InteractionError> {
        match self {
            Self::Handler(handler) => handler.write(values, context).await,
            Self::HandlerControl(_) | Self::Gateway(_) | Self::Board(_) => Err(read_only(&values)),
        }
    }

    pub(crate) async fn invoke(
        &self,
        name: &Arc<str>,
        input: Option<Value>,
        context: &Context,
    ) -> Result<Outcome, InteractionError> {
        match self {
            Self::Handler(handler) => handler.invoke(name, input, context).await,
            Self::HandlerControl(control) => control.invoke(name, input, context).await.map(Outcome::Done),
            Self::Gateway(gateway) => gateway.invoke(name, input).await.map(Outcome::Done),
            Self::Board(board) => board.invoke(name, input).map(Outcome::Done),
        }
    }

    pub(crate) async fn cancel(&self, id: Uuid) -> Result<(), InteractionError> {
        match self {
            Self::Handler(handler) => handler.cancel(id).await,
            Self::HandlerControl(_) | Self::Gateway(_) | Self::Board(_) => Err(InteractionError::Conflict {
                detail: "this action ends with its answer and can't be cancelled".to_owned(),
            }),
        }
    }

    /// Whether a task of its own follows its invocations to their end.
    pub(crate) fn has_a_task(&self) -> bool {
        matches!(self, Self::Handler(_))
    }

    /// Whether an action takes bytes of a media type although its model names no input schema: a schema describes JSON, and
    /// the input of `replace` is a component.
    pub(crate) fn takes_media(&self, action: &str, content_type: &str) -> bool {
        match self {
            Self::HandlerControl(_) => action == "replace" && content_type == "application/wasm",
            Self::Handler(_) | Self::Gateway(_) | Self::Board(_) => false,
        }
    }
}

fn read_only(values: &[(Arc<str>, Value)]) -> InteractionError {
    let name = values.first().map_or("", |(name, _)| &**name);
    InteractionError::NotAllowed { operation: format!("the property `{name}` is read-only"), allow: "GET, HEAD" }
}
