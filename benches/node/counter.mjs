// node-wot's counter servient, with one scalar and one object to read. It says where it listens, then serves.
import core from "@node-wot/core";
import http from "@node-wot/binding-http";

const { Servient } = core;
const { HttpServer } = http;

const server = new HttpServer({ port: 0, address: "127.0.0.1" });
const servient = new Servient();
servient.addServer(server);
const wot = await servient.start();

let count = 0;
const thing = await wot.produce({
  title: "counter",
  description: "A counter, as in node-wot's examples",
  properties: {
    count: { type: "integer", readOnly: true },
    state: {
      type: "object",
      readOnly: true,
      properties: { count: { type: "integer" }, even: { type: "boolean" }, label: { type: "string" } },
    },
  },
});
thing.setPropertyReadHandler("count", async () => count++);
thing.setPropertyReadHandler("state", async () => ({ count: count++, even: count % 2 === 0, label: "counter" }));
await thing.expose();
console.log(`http://127.0.0.1:${server.getPort()}/counter`);
