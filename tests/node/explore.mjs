// From the one known URL to every Thing.
import assert from "node:assert/strict";
import { consume, origin } from "./consumer.mjs";

await consume(async (wot) => {
  const titles = [];
  for await (const description of await wot.exploreDirectory(`${origin}/.well-known/wot`)) {
    assert.match(description.id, /^urn:uuid:/);
    await wot.consume(description);
    titles.push(description.title);
  }
  assert.ok(titles.length >= 4, titles.join());
});
