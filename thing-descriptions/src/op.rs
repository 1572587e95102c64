//! Operation types: what a Form lets a consumer do (TD 1.1 section 5.3.4.2, table of well-known operation types).
//!
//! The set is closed: the specification restricts a Form to these words (assertion `well-known-operation-types-only`).

use serde_json::Value;

use crate::TdError;
use crate::member::Member;
use crate::pointer::At;

macro_rules! ops {
    ($($(#[$doc:meta])* $name:ident = $word:literal,)*) => {
        /// What a Form lets a consumer do.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Op {
            $(#[doc = concat!("`", $word, "`")] $name,)*
        }

        impl Op {
            /// Every operation type of TD 1.1.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The word in a TD.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $word,)*
                }
            }
        }
    };
}

ops! {
    ReadProperty = "readproperty",
    WriteProperty = "writeproperty",
    ObserveProperty = "observeproperty",
    UnobserveProperty = "unobserveproperty",
    InvokeAction = "invokeaction",
    QueryAction = "queryaction",
    CancelAction = "cancelaction",
    SubscribeEvent = "subscribeevent",
    UnsubscribeEvent = "unsubscribeevent",
    ReadAllProperties = "readallproperties",
    WriteAllProperties = "writeallproperties",
    ReadMultipleProperties = "readmultipleproperties",
    WriteMultipleProperties = "writemultipleproperties",
    ObserveAllProperties = "observeallproperties",
    UnobserveAllProperties = "unobserveallproperties",
    QueryAllActions = "queryallactions",
    SubscribeAllEvents = "subscribeallevents",
    UnsubscribeAllEvents = "unsubscribeallevents",
}

impl Member for Op {
    fn from_json(value: Value, at: &At<'_>) -> Result<Self, TdError> {
        let word = String::from_json(value, at)?;
        let known = Self::ALL.iter().find(|op| op.as_str() == word);
        known.copied().ok_or_else(|| at.wrong("is no operation type of TD 1.1"))
    }

    fn to_json(&self) -> Option<Value> {
        Some(self.as_str().into())
    }
}
