// By MQTT alone: the Thing's description is fetched by HTTP, everything after that goes over its mqtt forms.
// Arguments: the description's URL, then a JSON array of steps, taken in order; a step that answers prints a line of JSON;
// then the token, where one is needed.
//   ["read", NAME]                  the retained value
//   ["write", NAME, VALUE]          ["invoke", NAME, INPUT?]
//   ["observe", NAME]               ["subscribe", NAME]: begins, and goes on beside the next steps
//   ["seen", NAME, VALUE]           waits until one that was begun has brought this value
import assert from "node:assert/strict";
import core from "@node-wot/core";
import mqtt from "@node-wot/binding-mqtt";
import { eventually } from "./consumer.mjs";

const [url, steps, token] = process.argv.slice(2);
const servient = new core.Servient();
servient.addClientFactory(new mqtt.MqttClientFactory());
const headers = token ? { authorization: `Bearer ${token}` } : {};
const description = await (await fetch(url, { headers })).json();
if (token) servient.addCredentials({ [description.id]: { username: "anybody", password: token } });
const wot = await servient.start();
const answer = (value) => console.log(JSON.stringify(value));
const seen = new Map();

// One client, that is one connection, for each step: within one, node-wot gives a topic's messages to its first taker only.
for (const [kind, name, value] of JSON.parse(steps)) {
  const thing = await wot.consume(description);
  const keep = async (output) => seen.get(name).push(await output.value());
  if (kind === "read") answer(await (await thing.readProperty(name)).value());
  else if (kind === "write") await thing.writeProperty(name, value);
  else if (kind === "invoke") await thing.invokeAction(name, value);
  else if (kind === "observe") seen.set(name, []), await thing.observeProperty(name, keep);
  else if (kind === "subscribe") seen.set(name, []), await thing.subscribeEvent(name, keep);
  else if (kind === "seen") {
    const has = () => seen.get(name).some((one) => JSON.stringify(one) === JSON.stringify(value));
    await eventually(`${name} is ${JSON.stringify(value)}`, has).catch((error) => {
      throw new Error(`${error.message}; there were ${JSON.stringify(seen.get(name))}`);
    });
    answer(value);
  } else assert.fail(`there is no step ${kind}`);
}
await servient.shutdown();
console.log("ok");
process.exit(0);
