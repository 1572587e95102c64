// A consumer as node-wot's documentation shows it. The gateway's origin is the first argument; all else is found in TDs.
import core from "@node-wot/core";
import http from "@node-wot/binding-http";

export const origin = process.argv[2];

/** Runs `work(wot)`, says `ok` when it is done and ends. */
export async function consume(work) {
  const servient = new core.Servient();
  servient.addClientFactory(new http.HttpClientFactory());
  const wot = await servient.start();
  await work(wot);
  await servient.shutdown();
  console.log("ok");
  process.exit(0);
}

/** The Thing of this name. */
export async function thing(wot, name) {
  return wot.consume(await wot.requestThingDescription(`${origin}/things/${name}`));
}

/** Asks `look` again until it answers true. */
export async function eventually(what, look, deadlineMs = 20_000) {
  const end = Date.now() + deadlineMs;
  while (!(await look())) {
    if (Date.now() > end) throw new Error(`${what}: not within ${deadlineMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
