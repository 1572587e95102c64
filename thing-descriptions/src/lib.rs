//! Thing Descriptions and Thing Models of the W3C Web of Things, version 1.1.
//!
//! Types that keep every member of a document ([`Thing`]), the derivation of a Thing from its Thing Model
//! ([`ThingModel::instantiate`]), the check of values against a `DataSchema` ([`Validator`]) and of documents against the
//! published JSON Schemas ([`check_td`], [`check_tm`]). Pure: no clock, no file, no network, no task; every input has a
//! limit.
#![warn(missing_docs)]

mod affordance;
mod context;
mod data_schema;
mod error;
mod form;
mod json;
mod limits;
mod link;
mod member;
mod model;
mod models;
mod object;
mod op;
mod pointer;
#[cfg(test)]
mod random;
mod schema;
mod security;
mod thing;
mod validator;
pub mod vocabulary;

pub use affordance::{ActionAffordance, EventAffordance, PropertyAffordance};
pub use context::Context;
pub use data_schema::{DataSchema, Items, SchemaType};
pub use error::{FieldError, TdError};
pub use form::{AdditionalResponse, ExpectedResponse, Form};
pub use json::parse_json;
pub use limits::{DESCRIPTION_BYTES_MAX, FIELD_ERRORS_MAX, JsonLimits, VALUE_DEPTH_MAX};
pub use link::Link;
pub use member::{Named, OneOrMany};
pub use model::{Instance, ModelSet, ThingModel};
pub use models::{model, models};
pub use object::MemberOrder;
pub use op::Op;
pub use schema::{check_td, check_tm};
pub use security::SecurityScheme;
pub use thing::{Thing, Version};
pub use validator::Validator;
