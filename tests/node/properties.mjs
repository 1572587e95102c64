// Read, write, read all, write several.
import assert from "node:assert/strict";
import { consume, thing } from "./consumer.mjs";

await consume(async (wot) => {
  const lamp = await thing(wot, "lamp");
  for (const on of [true, false]) {
    await lamp.writeProperty("on", on);
    assert.equal(await (await lamp.readProperty("on")).value(), on);
  }
  const all = await lamp.readAllProperties();
  assert.deepEqual([...all.keys()], ["on"]);
  assert.equal(await all.get("on").value(), false);

  const machine = await thing(wot, "machine");
  await machine.writeMultipleProperties(new Map([["samplingInterval", 300], ["temperatureThreshold", 66.5]]));
  assert.equal(await (await machine.readProperty("samplingInterval")).value(), 300);
  assert.equal(await (await machine.readProperty("temperatureThreshold")).value(), 66.5);
  const several = await machine.readMultipleProperties(["load1", "uptime"]);
  assert.equal(typeof (await several.get("load1").value()), "number");
  await assert.rejects(machine.writeProperty("temperatureThreshold", "hot"));
});
