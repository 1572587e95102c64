// A small Web of Things consumer: it knows Thing Descriptions and forms, and no URL but the directory's.

/** An answer that is a problem document (RFC 9457), or no answer at all. */
export class Problem extends Error {
  constructor(document) {
    const fields = (document.validationErrors ?? []).map(({ field, description }) => `${field || "value"}: ${description}`);
    super([document.detail ?? document.title ?? "no answer", ...fields].join("; "));
    this.status = document.status ?? 0;
  }
}

// Longer than a synchronous action may last.
const TIMEOUT_MS = 60_000;

async function request(href, options = {}) {
  let response;
  try {
    response = await fetch(href, { credentials: "same-origin", signal: AbortSignal.timeout(TIMEOUT_MS), ...options });
  } catch {
    throw new Problem({ detail: "the gateway does not answer" });
  }
  if (response.status === 401) globalThis.dispatchEvent(new Event("unauthorized"));
  if (!response.ok) {
    const document = await response.json().catch(() => ({ status: response.status, detail: response.statusText }));
    throw new Problem(document);
  }
  return response;
}

async function body(response) {
  const text = await response.text();
  return text === "" ? undefined : JSON.parse(text);
}

// A directory may hold Thing Descriptions of others: what is no list is taken as an empty one.
const listOf = (value) => (Array.isArray(value) ? value.filter((member) => member !== null && typeof member === "object") : []);

/** The first link with the relation type `rel`. */
export const linkOf = (thing, rel) => listOf(thing?.links).find((link) => link.rel === rel);

const ops = (form, fallback) => [form.op ?? fallback].flat();
const isHttp = (form) => /^https?:/.test(form.href);

/** The first form for `op`; with `subprotocol` only such a form, without it only one that has none. */
export function findForm(forms, op, { subprotocol, defaults = [] } = {}) {
  return listOf(forms).find((form) => isHttp(form) && ops(form, defaults).includes(op) && form.subprotocol === subprotocol);
}

/** RFC 6570, form-style query expansion: what our forms use. */
export function expand(href, variables = {}) {
  return href.replace(/\{\?([^}]*)\}/, (_, names) => {
    const given = names.split(",").filter((name) => variables[name] !== undefined && variables[name] !== "");
    const query = given.map((name) => `${encodeURIComponent(name)}=${encodeURIComponent(variables[name])}`);
    return query.length === 0 ? "" : `?${query.join("&")}`;
  });
}

/** All Things that the directory lists. */
export async function explore() {
  const directory = await body(await request("/.well-known/wot", { headers: { accept: "application/td+json" } }));
  const form = findForm(directory.properties?.things?.forms, "readproperty", { defaults: ["readproperty"] });
  return body(await request(expand(form.href), { headers: { accept: form.contentType } }));
}

/** The Thing Description behind a link, if the Thing has such a link. */
export async function follow(thing, rel) {
  const link = linkOf(thing, rel);
  return link && body(await request(link.href, { headers: { accept: "application/td+json" } }));
}

const DEFAULT_OPS = ["readproperty", "writeproperty"];

/** Value, age in seconds and quality of a property. */
export async function readProperty(property) {
  const form = findForm(property.forms, "readproperty", { defaults: DEFAULT_OPS });
  const response = await request(expand(form.href), { headers: { accept: form.contentType ?? "application/json" } });
  const json = (form.contentType ?? "application/json") === "application/json";
  return {
    value: json ? await body(response) : `${form.contentType}, ${(await response.blob()).size} bytes`,
    age: Number(response.headers.get("age") ?? 0),
    quality: response.headers.get("reading-quality") ?? "",
  };
}

export async function writeProperty(property, value) {
  const form = findForm(property.forms, "writeproperty", { defaults: DEFAULT_OPS });
  await request(expand(form.href), {
    method: "PUT",
    headers: { "content-type": form.contentType ?? "application/json" },
    body: JSON.stringify(value),
  });
}

/** Invokes an action; `progress` hears the status of one that takes its time. */
export async function invokeAction(action, input, variables, progress) {
  const form = findForm(action.forms, "invokeaction", { defaults: ["invokeaction"] });
  const options = { method: "POST", headers: { accept: form.response?.contentType ?? "application/json" } };
  if (input !== undefined) {
    options.headers["content-type"] = form.contentType ?? "application/json";
    options.body = input instanceof Blob ? input : JSON.stringify(input);
  }
  const response = await request(expand(form.href, variables), options);
  if (response.status !== 201) {
    return body(response);
  }
  let status = await body(response);
  while (status.status === "pending" || status.status === "running") {
    progress(status);
    await new Promise((resolve) => setTimeout(resolve, 500));
    status = await body(await request(status.href));
  }
  if (status.status === "failed") {
    throw new Problem(status.error ?? { detail: "the action failed" });
  }
  return status.output;
}

/**
 * One stream for all observable properties of a Thing. Returns a function that ends it, or nothing.
 * `onState` hears "live", "reconnecting …" or "ended".
 */
export function observeAllProperties(thing, names, { onValue, onState }) {
  const form = findForm(thing.forms, "observeallproperties", { subprotocol: "sse" });
  if (!form) {
    return undefined;
  }
  const stream = new EventSource(form.href);
  for (const name of names) {
    stream.addEventListener(name, (message) => onValue(name, JSON.parse(message.data)));
  }
  stream.addEventListener("open", () => onState("live"));
  // A refusal, unlike a lost connection, ends an EventSource for good.
  stream.addEventListener("error", () => onState(stream.readyState === EventSource.CLOSED ? "ended" : "reconnecting …"));
  return () => stream.close();
}
