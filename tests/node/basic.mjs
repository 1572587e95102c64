// With a token as the password of basic authentication: the gateway's origin and the token are the arguments.
import assert from "node:assert/strict";
import core from "@node-wot/core";
import http from "@node-wot/binding-http";
import { eventually } from "./consumer.mjs";

const [origin, token] = process.argv.slice(2);
const headers = { authorization: `Bearer ${token}` };
const described = async (name) => (await fetch(`${origin}/things/${name}`, { headers })).json();

/** A consumer with these credentials for everything that it is given. */
async function consumer(password, ...descriptions) {
  const servient = new core.Servient();
  servient.addClientFactory(new http.HttpClientFactory());
  const credentials = { username: "anybody", password };
  if (password) servient.addCredentials(Object.fromEntries(descriptions.map(({ id }) => [id, credentials])));
  const wot = await servient.start();
  return Promise.all(descriptions.map((description) => wot.consume(description)));
}

const descriptions = await Promise.all(["lamp", "machine"].map(described));
const [lamp, machine] = await consumer(token, ...descriptions);
const seen = [];
await lamp.observeProperty("on", async (output) => { seen.push(await output.value()); });
await lamp.writeProperty("on", true);
assert.equal(await (await lamp.readProperty("on")).value(), true);
await eventually("the change is observed", () => seen.includes(true));
await lamp.invokeAction("pulse", { duration: 10 });
assert.equal(typeof (await (await machine.readProperty("load1")).value()), "number");
assert.deepEqual([...(await lamp.readAllProperties()).keys()], ["on"]);

for (const wrong of [undefined, "tg_wrong"]) {
  const [refused] = await consumer(wrong, descriptions[0]);
  await assert.rejects(refused.readProperty("on"), wrong);
}
console.log("ok");
process.exit(0);
