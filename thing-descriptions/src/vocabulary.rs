//! The words of the specifications that the project writes: contexts, media types, relation types, defaults.
//!
//! They stand here alone, so that a later version of the TD is a change of one file.

/// Context of TD 1.0; before [`CONTEXT_V1_1`] in a TD that 1.0 consumers should understand too.
pub const CONTEXT_V1: &str = "https://www.w3.org/2019/wot/td/v1";
/// Context of TD 1.1.
pub const CONTEXT_V1_1: &str = "https://www.w3.org/2022/wot/td/v1.1";
/// Context of WoT Discovery.
pub const CONTEXT_DISCOVERY: &str = "https://www.w3.org/2022/wot/discovery";
/// Namespace of the members that the gateway reads from a Thing Model, under the prefix `tidegate`. A name and no page:
/// RFC 2606 reserves the domain.
pub const TIDEGATE_NAMESPACE: &str = "https://tidegate.example/ns#";
/// Prefix of the members that the gateway reads from a Thing Model and never puts into a TD.
pub const TIDEGATE_PREFIX: &str = "tidegate:";
/// Member of a Thing Model: the devices that its handler wants.
pub const WANTS: &str = "tidegate:wants";

/// Prefix of the members that make a Thing Model.
pub const TM_PREFIX: &str = "tm:";
/// `@type` of every Thing Model.
pub const TM_TYPE: &str = "tm:ThingModel";
/// Relation type: the model that this one extends.
pub const TM_EXTENDS: &str = "tm:extends";
/// Relation type: a model that is a part of this one.
pub const TM_SUBMODEL: &str = "tm:submodel";
/// Member: a definition of another model, or of this one.
pub const TM_REF: &str = "tm:ref";
/// Member: pointers to the affordances that an instance may leave out.
pub const TM_OPTIONAL: &str = "tm:optional";

/// Prefix and namespace of the HTTP vocabulary.
pub const HTV: (&str, &str) = ("htv", "http://www.w3.org/2011/http#");
/// Prefix and namespace of the MQTT vocabulary.
pub const MQV: (&str, &str) = ("mqv", "https://www.w3.org/2019/wot/mqtt#");
/// Prefix and namespace of the units in our models.
pub const QUDT: (&str, &str) = ("qudt", "http://qudt.org/vocab/unit/");

/// Profile: HTTP Basic.
pub const PROFILE_HTTP_BASIC: &str = "https://www.w3.org/2022/wot/profile/http-basic/v1";
/// Profile: HTTP SSE.
pub const PROFILE_HTTP_SSE: &str = "https://www.w3.org/2022/wot/profile/http-sse/v1";
/// Profile: HTTP Webhook.
pub const PROFILE_HTTP_WEBHOOK: &str = "https://www.w3.org/2022/wot/profile/http-webhook/v1";

/// Media type of a Thing Description.
pub const MEDIA_TD: &str = "application/td+json";
/// Media type of a Thing Model.
pub const MEDIA_TM: &str = "application/tm+json";
/// Media type of an error body (RFC 9457).
pub const MEDIA_PROBLEM: &str = "application/problem+json";
/// `contentType` of a form that names none (TD 1.1 section 5.4).
pub const CONTENT_TYPE_DEFAULT: &str = "application/json";

/// HTTP vocabulary: name of the method.
pub const HTV_METHOD_NAME: &str = "htv:methodName";
/// HTTP vocabulary: number of the status.
pub const HTV_STATUS_CODE: &str = "htv:statusCodeValue";

/// Sub-protocol: the answer comes with the next value.
pub const SUBPROTOCOL_LONGPOLL: &str = "longpoll";
/// Sub-protocol: Server-Sent Events.
pub const SUBPROTOCOL_SSE: &str = "sse";

/// Relation type: a Thing of this collection or a part of this Thing.
pub const REL_ITEM: &str = "item";
/// Relation type: the collection that this Thing is in.
pub const REL_COLLECTION: &str = "collection";
/// Relation type: the Thing that controls this one.
pub const REL_CONTROLLED_BY: &str = "controlledBy";
/// Relation type: a picture of the Thing.
pub const REL_ICON: &str = "icon";
/// Relation type: the same Thing for another reader, such as a page for people.
pub const REL_ALTERNATE: &str = "alternate";
/// Relation type: a manual.
pub const REL_SERVICE_DOC: &str = "service-doc";
/// Relation type: the Thing Model of this Thing.
pub const REL_TYPE: &str = "type";
