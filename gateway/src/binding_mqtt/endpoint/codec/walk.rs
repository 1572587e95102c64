//! A walk over the fields of a whole packet, before the codec reads them: it refuses what MQTT calls malformed or a protocol
//! error and the codec takes.
//!
//! It looks at nothing beyond the packet that it was given, keeps nothing of it, and leaves to the session what depends on
//! other packets or on what is offered here. Clauses are those of MQTT 5.0 where 3.1.1 is not named.

use super::{Refused, Version};

/// Walks over the body of a packet that a client sends; `first` is the first byte of its head.
pub(super) fn walk(version: Version, first: u8, body: &[u8]) -> Result<(), Refused> {
    let mut fields = Fields(body);
    match first >> 4 {
        1 => connect(version, &mut fields)?,
        // What is left is the payload.
        3 => return publish(version, first, &mut fields),
        4 => acknowledgement(version, &mut fields)?,
        8 => subscribe(version, &mut fields)?,
        10 => unsubscribe(version, &mut fields)?,
        14 => disconnect(version, &mut fields)?,
        _ => {}
    }
    // The length is that of the fields (section 2.1.4); in 3.1.1 PUBACK and DISCONNECT have no more (its 3.4, 3.14).
    if fields.0.is_empty() {
        Ok(())
    } else {
        Err(Refused::malformed("there is more in this packet than belongs there"))
    }
}

/// CONNECT (section 3.1).
fn connect(version: Version, fields: &mut Fields<'_>) -> Result<(), Refused> {
    let _name = fields.text()?;
    let _level = fields.byte()?;
    let flags = fields.byte()?;
    let _keep_alive = fields.take(2)?;
    let (user, password, will) = (flags & 0x80 != 0, flags & 0x40 != 0, flags & 0x04 != 0);
    // MQTT-3.1.2-3, -11, -12 and -13.
    if flags & 0x01 != 0 || (!will && flags & 0x38 != 0) || flags & 0x18 == 0x18 {
        return Err(Refused::malformed("the flags of CONNECT contradict each other"));
    }
    // MQTT-3.1.2-22 of 3.1.1; MQTT 5 allows it (section 3.1.2.9).
    if version == Version::V4 && password && !user {
        return Err(Refused::malformed("a password without a user name"));
    }
    if version == Version::V5 {
        let seen = fields.properties(&CONNECT)?;
        // Section 3.1.2.11.10.
        if seen & bit(AUTHENTICATION_DATA) != 0 && seen & bit(AUTHENTICATION_METHOD) == 0 {
            return Err(Refused::protocol("authentication data without a method"));
        }
    }
    let _identifier = fields.text()?;
    if will {
        if version == Version::V5 {
            fields.properties(&WILL)?;
        }
        let _topic = fields.text()?;
        let _payload = fields.binary()?;
    }
    if user {
        fields.text()?;
    }
    if password {
        fields.binary()?;
    }
    Ok(())
}

/// PUBLISH (section 3.3) up to its payload.
fn publish(version: Version, first: u8, fields: &mut Fields<'_>) -> Result<(), Refused> {
    let topic = fields.text()?;
    if first & 0x06 != 0 {
        fields.packet_id()?;
    }
    if version == Version::V5 {
        let seen = fields.properties(&PUBLISH)?;
        // Section 3.3.2.1.
        if topic.is_empty() && seen & bit(TOPIC_ALIAS) == 0 {
            return Err(Refused::protocol("neither a topic nor an alias of one"));
        }
        // MQTT-3.3.4-6.
        if seen & bit(SUBSCRIPTION_IDENTIFIER) != 0 {
            return Err(Refused::protocol("a client sends no subscription identifiers"));
        }
    }
    Ok(())
}

/// PUBACK (section 3.4): the reason and the properties may be left out (3.4.2.1, 3.4.2.2.1).
fn acknowledgement(version: Version, fields: &mut Fields<'_>) -> Result<(), Refused> {
    fields.packet_id()?;
    reason(version, &PUBACK, fields)
}

/// DISCONNECT (section 3.14): both may be left out (3.14.2.1, 3.14.2.2.1).
fn disconnect(version: Version, fields: &mut Fields<'_>) -> Result<(), Refused> {
    reason(version, &DISCONNECT, fields)
}

fn reason(version: Version, taken: &[u8], fields: &mut Fields<'_>) -> Result<(), Refused> {
    if version == Version::V5 && !fields.0.is_empty() {
        let _code = fields.byte()?;
        if !fields.0.is_empty() {
            fields.properties(taken)?;
        }
    }
    Ok(())
}

/// SUBSCRIBE (section 3.8).
fn subscribe(version: Version, fields: &mut Fields<'_>) -> Result<(), Refused> {
    fields.packet_id()?;
    if version == Version::V5 {
        fields.properties(&SUBSCRIBE)?;
    }
    fields.not_empty()?;
    while !fields.0.is_empty() {
        let filter = fields.text()?;
        let options = fields.byte()?;
        let (reserved, qos) = match version {
            Version::V4 => (options & !0x03, options & 0x03),
            Version::V5 => (options & 0xC0, options & 0x03),
        };
        // MQTT-3.8.3-5; MQTT-3-8.3-4 of 3.1.1.
        if reserved != 0 {
            return Err(Refused::malformed("reserved bits of a subscription are set"));
        }
        // Section 3.8.3.1.
        if qos == 3 || options & 0x30 == 0x30 {
            return Err(Refused::protocol("a quality of service or a handling of what is retained that there is not"));
        }
        // MQTT-3.8.3-4.
        if options & 0x04 != 0 && filter.starts_with("$share/") {
            return Err(Refused::protocol("a shared subscription cannot leave out what its own client publishes"));
        }
    }
    Ok(())
}

/// UNSUBSCRIBE (section 3.10).
fn unsubscribe(version: Version, fields: &mut Fields<'_>) -> Result<(), Refused> {
    fields.packet_id()?;
    if version == Version::V5 {
        fields.properties(&UNSUBSCRIBE)?;
    }
    fields.not_empty()?;
    while !fields.0.is_empty() {
        let _filter = fields.text()?;
    }
    Ok(())
}

const SUBSCRIPTION_IDENTIFIER: u8 = 0x0B;
const AUTHENTICATION_METHOD: u8 = 0x15;
const AUTHENTICATION_DATA: u8 = 0x16;
const TOPIC_ALIAS: u8 = 0x23;
const USER_PROPERTY: u8 = 0x26;

/// The properties that each packet may have (section 2.2.2.2, table 2-4).
const CONNECT: [u8; 9] =
    [0x11, AUTHENTICATION_METHOD, AUTHENTICATION_DATA, 0x17, 0x19, 0x21, 0x22, USER_PROPERTY, 0x27];
const WILL: [u8; 7] = [0x01, 0x02, 0x03, 0x08, 0x09, 0x18, USER_PROPERTY];
const PUBLISH: [u8; 8] = [0x01, 0x02, 0x03, 0x08, 0x09, SUBSCRIPTION_IDENTIFIER, TOPIC_ALIAS, USER_PROPERTY];
const PUBACK: [u8; 2] = [0x1F, USER_PROPERTY];
const SUBSCRIBE: [u8; 2] = [SUBSCRIPTION_IDENTIFIER, USER_PROPERTY];
const UNSUBSCRIBE: [u8; 1] = [USER_PROPERTY];
const DISCONNECT: [u8; 4] = [0x11, 0x1C, 0x1F, USER_PROPERTY];

/// The place of a property among those seen; all are below 64.
fn bit(property: u8) -> u64 {
    1 << (property & 0x3F)
}

/// The fields that have not been looked at (section 1.5); each is taken whole or not at all.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, bytes: usize) -> Result<&'a [u8], Refused> {
        let Some((field, rest)) = self.0.split_at_checked(bytes) else {
            return Err(Refused::malformed("a field is longer than what it stands in"));
        };
        self.0 = rest;
        Ok(field)
    }

    fn byte(&mut self) -> Result<u8, Refused> {
        Ok(self.take(1)?.iter().fold(0, |_, byte| *byte))
    }

    fn short(&mut self) -> Result<u16, Refused> {
        Ok(self.take(2)?.iter().fold(0, |value, byte| value << 8 | u16::from(*byte)))
    }

    /// A variable byte integer (section 1.5.5): at most four bytes, and none more than it needs (MQTT-1.5.5-1).
    fn variable(&mut self) -> Result<usize, Refused> {
        let mut value = 0;
        for place in 0..4 {
            let byte = self.byte()?;
            value |= usize::from(byte & 0x7F) << (7 * place);
            if byte & 0x80 == 0 {
                let needed = byte != 0 || place == 0;
                return if needed {
                    Ok(value)
                } else {
                    Err(Refused::malformed("a number with more bytes than it needs"))
                };
            }
        }
        Err(Refused::malformed("a number has more than four bytes"))
    }

    fn binary(&mut self) -> Result<&'a [u8], Refused> {
        let bytes = self.short()?;
        self.take(usize::from(bytes))
    }

    /// MQTT-1.5.4-1 and -2; section 1.5.3 of 3.1.1.
    fn text(&mut self) -> Result<&'a str, Refused> {
        let text = std::str::from_utf8(self.binary()?).map_err(|_| Refused::malformed("a string is not UTF-8"))?;
        if text.contains('\0') { Err(Refused::malformed("a string holds the character NUL")) } else { Ok(text) }
    }

    /// Section 2.2.1; 2.3.1 of 3.1.1.
    fn packet_id(&mut self) -> Result<u16, Refused> {
        match self.short()? {
            0 => Err(Refused::protocol("a packet identifier of 0")),
            packet_id => Ok(packet_id),
        }
    }

    /// MQTT-3.8.3-2 and MQTT-3.10.3-2.
    fn not_empty(&self) -> Result<(), Refused> {
        if self.0.is_empty() { Err(Refused::protocol("no topic filter")) } else { Ok(()) }
    }

    /// The properties of a packet that may have those `taken` (section 2.2.2): which ones it has, each as its [`bit`].
    fn properties(&mut self, taken: &[u8]) -> Result<u64, Refused> {
        let bytes = self.variable()?;
        let mut properties = Fields(self.take(bytes)?);
        let mut seen = 0;
        while !properties.0.is_empty() {
            let property = properties.byte()?;
            // Section 2.2.2.2.
            if !taken.contains(&property) {
                return Err(Refused::malformed(format!("this packet has no property {property:#04x}")));
            }
            if property != USER_PROPERTY && seen & bit(property) != 0 {
                return Err(Refused::protocol(format!("property {property:#04x} twice")));
            }
            seen |= bit(property);
            properties.value_of(property)?;
        }
        Ok(seen)
    }

    /// The value of a property, of the type that section 2.2.2.2 gives to it.
    fn value_of(&mut self, property: u8) -> Result<(), Refused> {
        match property {
            // Sections 3.3.2.3.2, 3.1.2.11.7 and 3.1.2.11.6.
            0x01 | 0x17 | 0x19 if self.byte()? > 1 => {
                Err(Refused::protocol(format!("property {property:#04x} is 0 or 1")))
            }
            0x01 | 0x17 | 0x19 => Ok(()),
            0x21 | 0x22 | TOPIC_ALIAS => self.take(2).map(|_| ()),
            0x02 | 0x11 | 0x18 | 0x27 => self.take(4).map(|_| ()),
            SUBSCRIPTION_IDENTIFIER => self.variable().map(|_| ()),
            0x03 | 0x08 | AUTHENTICATION_METHOD | 0x1C | 0x1F => self.text().map(|_| ()),
            0x09 | AUTHENTICATION_DATA => self.binary().map(|_| ()),
            USER_PROPERTY => self.text().and_then(|_| self.text()).map(|_| ()),
            _ => Err(Refused::malformed(format!("there is no property {property:#04x}"))),
        }
    }
}

#[cfg(test)]
mod tests;
