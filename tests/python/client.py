"""An MQTT client by paho-mqtt: one order per line of JSON on stdin, one event per line of JSON on stdout.

Orders: connect {host, port, protocol: 4 | 5, client_id?, clean_start?, keepalive?, username?, password?, session_expiry?,
will?: {topic, payload, qos?, retain?}}, subscribe {filter, qos?}, unsubscribe {filter}, publish {topic, payload | payload_hex,
qos?, retain?, response_topic?, correlation?, content_type?, message_expiry?, user_properties?: {..}}, disconnect.
Events: connected, subscribed, unsubscribed, published, message, disconnected. It ends with its stdin.
"""

import json
import sys

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

V5 = mqtt.MQTTv5


def say(event, **members):
    print(json.dumps({"event": event, **members}), flush=True)


def ended(reason):
    return {"reason": str(reason), "code": reason.value, "failed": reason.is_failure}


def shown(properties):
    """MQTT 5 properties under the names that mosquitto_sub uses."""
    if properties is None or properties.isEmpty():
        return None
    members = {}
    for name, value in vars(properties).items():
        if name in ("packetType", "types", "names", "properties"):
            continue
        words = "".join("-" + c.lower() if c.isupper() else c for c in name).lstrip("-")
        if words == "user-property":
            members["user-properties"] = dict(value)
        else:
            members[words] = value.decode(errors="replace") if isinstance(value, bytes) else value
    return members


def properties_of(order):
    """The MQTT 5 properties of an order `publish`."""
    properties = Properties(PacketTypes.PUBLISH)
    for member, name in (
        ("response_topic", "ResponseTopic"),
        ("content_type", "ContentType"),
        ("message_expiry", "MessageExpiryInterval"),
    ):
        if member in order:
            setattr(properties, name, order[member])
    if "correlation" in order:
        properties.CorrelationData = order["correlation"].encode()
    if "user_properties" in order:
        properties.UserProperty = list(order["user_properties"].items())
    return properties


def connect(order):
    protocol = order["protocol"]
    v5 = protocol == V5
    session = {} if v5 else {"clean_session": order.get("clean_start", True)}
    client = mqtt.Client(CallbackAPIVersion.VERSION2, order.get("client_id", ""), protocol=protocol, **session)
    if "username" in order:
        client.username_pw_set(order["username"], order.get("password"))
    if will := order.get("will"):
        client.will_set(will["topic"], will["payload"], will.get("qos", 0), will.get("retain", False))
    client.on_connect = lambda c, u, flags, reason, properties: say(
        "connected", session=flags.session_present, properties=shown(properties), **ended(reason)
    )
    client.on_disconnect = lambda c, u, flags, reason, properties: say("disconnected", **ended(reason))
    client.on_subscribe = lambda c, u, mid, reasons, properties: say("subscribed", **ended(reasons[0]))
    client.on_unsubscribe = lambda c, u, mid, reasons, properties: say("unsubscribed")
    client.on_publish = lambda c, u, mid, reason, properties: say("published", **ended(reason))
    client.on_message = lambda c, u, message: say(
        "message",
        topic=message.topic,
        qos=message.qos,
        retain=bool(message.retain),
        payload=message.payload.hex(),
        properties=shown(getattr(message, "properties", None)),
    )
    further = {}
    if v5:
        further["clean_start"] = order.get("clean_start", True)
        if "session_expiry" in order:
            further["properties"] = Properties(PacketTypes.CONNECT)
            further["properties"].SessionExpiryInterval = order["session_expiry"]
    client.connect(order["host"], order["port"], order.get("keepalive", 60), **further)
    client.loop_start()
    return client


def main():
    client = None
    for line in sys.stdin:
        order = json.loads(line)
        match order["do"]:
            case "connect":
                client = connect(order)
            case "subscribe":
                client.subscribe(order["filter"], order.get("qos", 0))
            case "unsubscribe":
                client.unsubscribe(order["filter"])
            case "publish":
                payload = bytes.fromhex(order["payload_hex"]) if "payload_hex" in order else order["payload"]
                properties = properties_of(order) if client.protocol == V5 else None
                client.publish(order["topic"], payload, order.get("qos", 0), order.get("retain", False), properties)
            case "disconnect":
                client.disconnect()
            case unknown:
                sys.exit(f"there is no order `{unknown}`")


main()
