// Observe by long poll: node-wot takes the first form that it can.
import assert from "node:assert/strict";
import { consume, eventually, thing } from "./consumer.mjs";

await consume(async (wot) => {
  const lamp = await thing(wot, "lamp");
  const seen = [];
  const subscription = await lamp.observeProperty("on", async (output) => seen.push(await output.value()));
  // The first poll begins some time after this line: changes go on until one was seen of each kind.
  let on = false;
  await eventually("both values are seen", async () => {
    on = !on;
    await lamp.writeProperty("on", on);
    return seen.includes(true) && seen.includes(false);
  });
  assert.ok(seen.every((value) => typeof value === "boolean"), JSON.stringify(seen));
  await subscription.stop();
});
