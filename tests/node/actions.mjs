// Invoke: a synchronous action, and one that goes on and is watched by its status.
import assert from "node:assert/strict";
import { consume, eventually, thing } from "./consumer.mjs";

await consume(async (wot) => {
  const board = await thing(wot, "board");
  const parts = await (await board.readProperty("parts")).value();
  const button = parts.find((part) => part.part === "button");
  await board.invokeAction("press", { part: button.part, duration: 10 });

  const lamp = await thing(wot, "lamp");
  const accepted = await lamp.invokeAction("pulse", { duration: 300 });
  // The answer is the ActionStatus, not yet the output: its schema is the profile's, so the bytes are read as they are.
  const status = JSON.parse(Buffer.from(await accepted.arrayBuffer()).toString());
  assert.ok(["pending", "running"].includes(status.status), JSON.stringify(status));
  await eventually("the lamp is on", async () => (await lamp.readProperty("on")).value());
  const href = new URL(status.href, lamp.getThingDescription().properties.on.forms[0].href);
  await eventually("the pulse is completed", async () => (await (await fetch(href)).json()).status === "completed");
  assert.equal(await (await lamp.readProperty("on")).value(), false);
});
