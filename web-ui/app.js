// The page: a card per Thing, live while it is open and visible.
//
// Everything that comes from a Thing is put into the page as text, never as markup.

import { Problem, explore, findForm, follow, invokeAction, linkOf, observeAllProperties, readProperty, writeProperty } from "./consumer.js";
import { signIn, signOut, standing } from "./session.js";

// A browser allows 6 connections per host on HTTP/1.1, for all its windows; three are left for requests.
const STREAMS_MAX = 3;
const REFRESH_MS = 10_000;

const UNITS = {
  DEG_C: "°C", PERCENT: "%", PA: "Pa", HectoPA: "hPa", BYTE: "bytes", SEC: "s", MilliSEC: "ms", MicroSEC: "µs", HZ: "Hz",
  V: "V", A: "A", W: "W", LUX: "lx", UNITLESS: "",
};

/** An element with text and children. */
function element(name, { text, className, ...attributes } = {}, ...children) {
  const node = document.createElement(name);
  if (text !== undefined) node.textContent = text;
  if (className) node.className = className;
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

const titleOf = (name, affordance) => affordance.title ?? name;
const unitOf = (schema) => {
  const unit = String(schema.unit ?? "").split(/[:/#]/).pop();
  return UNITS[unit] ?? unit;
};

const BYTE_UNITS = ["bytes", "kB", "MB", "GB", "TB"];

/** Value and unit as people write them: `[text, unit]`. */
function measure(value, unit) {
  if (typeof value !== "number" || unit !== "bytes") return [show(value), unit];
  const power = Math.min(BYTE_UNITS.length - 1, Math.max(0, Math.floor(Math.log10(Math.abs(value) || 1) / 3)));
  return [show(Number((value / 1000 ** power).toPrecision(4))), BYTE_UNITS[power]];
}

function show(value) {
  if (typeof value === "number") return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(6)));
  return typeof value === "object" ? JSON.stringify(value, null, 2) : String(value);
}

/** An input for a value of `schema`: `{node, read, set}`. `read` gives undefined for "nothing entered". */
function inputFor(schema, label) {
  const named = { "aria-label": label };
  if (schema.enum) {
    const node = element("select", named, ...schema.enum.map((value) => element("option", { text: show(value) })));
    return { node, read: () => schema.enum[node.selectedIndex], set: (value) => { node.selectedIndex = schema.enum.indexOf(value); } };
  }
  if (schema.type === "boolean") {
    const node = element("input", { ...named, type: "checkbox" });
    return { node, read: () => node.checked, set: (value) => { node.checked = value === true; } };
  }
  if (schema.type === "number" || schema.type === "integer") {
    const node = element("input", { ...named, type: "number", step: schema.type === "integer" ? "1" : "any" });
    if (schema.minimum !== undefined) node.min = schema.minimum;
    if (schema.maximum !== undefined) node.max = schema.maximum;
    if (schema.default !== undefined) node.value = schema.default;
    return { node, read: () => (node.value === "" ? undefined : Number(node.value)), set: (value) => { node.value = value; } };
  }
  if (schema.type === "string") {
    const node = element("input", { ...named, type: "text" });
    if (schema.maxLength !== undefined) node.maxLength = schema.maxLength;
    return { node, read: () => (node.value === "" ? undefined : node.value), set: (value) => { node.value = value; } };
  }
  const node = element("textarea", { ...named, rows: "2", placeholder: "JSON" });
  const read = () => {
    if (node.value.trim() === "") return undefined;
    try {
      return JSON.parse(node.value);
    } catch {
      throw new Problem({ detail: `${label}: this is no JSON` });
    }
  };
  return { node, read, set: (value) => { node.value = JSON.stringify(value); } };
}

/** Runs `work` on a click, and says how it went. */
function doing(button, outcome, work) {
  button.addEventListener("click", async () => {
    button.disabled = true;
    outcome.className = "outcome";
    outcome.textContent = "…";
    try {
      outcome.textContent = (await work()) ?? "done";
    } catch (problem) {
      outcome.classList.add("bad");
      outcome.textContent = problem.message;
    }
    button.disabled = false;
  });
}

/** A row of one property: `{node, update, refresh}`. */
function propertyRow(name, property) {
  const value = element("output", { className: "value", text: "–" });
  const unit = element("span", { className: "unit", text: unitOf(property) });
  const age = element("span", { className: "age" });
  const node = element("div", { className: "property" }, element("span", { className: "name", text: titleOf(name, property) }), value, unit, age);
  if (property.description) node.title = property.description;
  let taken = 0;
  let last;
  let input;
  let edited = false;
  const update = (content, seconds, quality = "") => {
    [value.textContent, unit.textContent] = measure(content, unitOf(property));
    value.classList.toggle("block", typeof content === "object" && content !== null);
    node.classList.remove("bad");
    taken = Date.now() - 1000 * seconds;
    last = JSON.stringify(content);
    age.dataset.quality = quality;
    if (input && !edited && !node.contains(document.activeElement)) input.set(content);
  };
  /** A stream tells neither age nor quality, and begins with a value that may be old. */
  const changed = (content) => {
    if (taken && JSON.stringify(content) === last) return;
    update(content, 0, age.dataset.quality);
  };
  const readable = findForm(property.forms, "readproperty", { defaults: ["readproperty", "writeproperty"] });
  const refresh = async () => {
    if (!readable) return;
    try {
      const reading = await readProperty(property);
      update(reading.value, reading.age, reading.quality);
    } catch (problem) {
      node.classList.add("bad");
      age.textContent = problem.message;
      taken = 0;
    }
  };
  const tick = () => {
    if (taken) age.textContent = [`${Math.max(0, Math.round((Date.now() - taken) / 1000))} s`, age.dataset.quality].filter(Boolean).join(", ");
  };
  if (!property.readOnly && findForm(property.forms, "writeproperty", { defaults: ["readproperty", "writeproperty"] })) {
    input = inputFor(property, `New value of ${titleOf(name, property)}`);
    const button = element("button", { text: "Set", type: "button" });
    const outcome = element("span", { className: "outcome", role: "status" });
    node.append(element("span", { className: "controls" }, input.node, button, outcome));
    input.node.addEventListener("input", () => { edited = true; });
    doing(button, outcome, async () => {
      await writeProperty(property, input.read());
      edited = false;
      await refresh();
    });
  }
  return { node, changed, refresh, tick, observable: property.observable === true };
}

/** Inputs for the members of an object, or one for anything else. */
function inputs(schema) {
  if (schema?.type === "object" && schema.properties) {
    const members = Object.entries(schema.properties).map(([name, member]) => [name, inputFor(member, titleOf(name, member)), titleOf(name, member)]);
    const nodes = members.map(([, input, title]) => element("label", {}, `${title} `, input.node));
    const read = () => Object.fromEntries(members.map(([name, input]) => [name, input.read()]).filter(([, value]) => value !== undefined));
    return { nodes, read };
  }
  const input = schema && inputFor(schema, schema.title ?? "Input");
  return { nodes: input ? [input.node] : [], read: () => input?.read() };
}

function actionRow(name, action) {
  const title = titleOf(name, action);
  const button = element("button", { text: title, type: "button" });
  if (action.description) button.title = action.description;
  const outcome = element("span", { className: "outcome", role: "status" });
  const variables = inputs(action.uriVariables && { type: "object", properties: action.uriVariables });
  const form = findForm(action.forms, "invokeaction", { defaults: ["invokeaction"] });
  let input = inputs(action.input);
  if ((form?.contentType ?? "application/json") !== "application/json") {
    const file = element("input", { type: "file", "aria-label": `File for ${title}` });
    input = { nodes: [file], read: () => file.files[0] };
  }
  doing(button, outcome, async () => {
    const progress = (status) => { outcome.textContent = status.progress === undefined ? status.status : `${status.status}: ${JSON.stringify(status.progress)}`; };
    const output = await invokeAction(action, input.read(), variables.read(), progress);
    return output === undefined ? "done" : `done: ${JSON.stringify(output)}`;
  });
  return element("div", { className: "action" }, ...input.nodes, ...variables.nodes, button, outcome);
}

const open = new Set();

/** A place for one stream, shared by all windows of the browser: a function that gives it back; nothing if none is free. */
async function takePlace() {
  if (!navigator.locks) return open.size <= STREAMS_MAX ? () => {} : undefined; // plain http from another machine
  for (let place = 0; place < STREAMS_MAX; place += 1) {
    const giveBack = await new Promise((taken) => {
      const hold = (lock) => (lock ? new Promise((released) => taken(released)) : taken(undefined));
      navigator.locks.request(`stream ${place}`, { ifAvailable: true }, hold);
    });
    if (giveBack) return giveBack;
  }
  return undefined;
}

/** What is inside an open card: live while it is shown. */
class Card {
  constructor(thing, state) {
    this.thing = thing;
    this.state = state;
    this.rows = new Map(Object.entries(thing.properties ?? {}).map(([name, property]) => [name, propertyRow(name, property)]));
    const actions = Object.entries(thing.actions ?? {}).map(([name, action]) => actionRow(name, action));
    this.node = element("div", { className: "body" });
    if (thing.description) this.node.append(element("p", { text: thing.description }));
    this.node.append(...[...this.rows.values()].map((row) => row.node), ...actions);
  }

  start() {
    if (this.running) return;
    this.running = true;
    open.add(this);
    this.state.textContent = "read every 10 s";
    for (const row of this.rows.values()) row.refresh();
    this.timers = [setInterval(() => this.tick(), 1000), setInterval(() => this.refresh(), REFRESH_MS)];
    this.stream();
  }

  async stream() {
    if (!this.running || this.end || this.asking) return;
    this.asking = true;
    const giveBack = await takePlace();
    this.asking = false;
    if (!giveBack) return;
    if (!this.running) return giveBack();
    const names = [...this.rows].filter(([, row]) => row.observable).map(([name]) => name);
    const close = observeAllProperties(this.thing, names, {
      onValue: (name, value) => this.rows.get(name).changed(value),
      onState: (state) => {
        this.state.textContent = state;
        if (state === "ended") this.end?.(); // the next refresh tries again
      },
    });
    if (!close) return giveBack();
    this.end = () => {
      close();
      giveBack();
      this.end = undefined;
    };
  }

  tick() {
    for (const row of this.rows.values()) row.tick();
  }

  /** What no stream brings, and how old and good the rest is. */
  refresh() {
    for (const row of this.rows.values()) row.refresh();
    this.stream();
  }

  stop() {
    this.timers?.forEach(clearInterval);
    this.end?.();
    this.running = false;
    this.state.textContent = "";
    open.delete(this);
  }
}

/** A card that begins when it is opened and ends when it is closed. */
function foldable(title, load) {
  const state = element("span", { className: "state", role: "status" });
  const node = element("details", { className: "thing" }, element("summary", {}, element("span", { text: title }), state));
  let card;
  node.addEventListener("toggle", async () => {
    if (!node.open) return card?.stop();
    try {
      card ??= new Card(await load(node), state);
      if (!card.node.isConnected) node.querySelector("summary").after(card.node);
      if (node.open && !document.hidden) card.start();
    } catch (problem) {
      state.textContent = problem.message;
    }
  });
  document.addEventListener("visibilitychange", () => {
    if (!card || !node.open) return;
    if (document.hidden) card.stop();
    else card.start();
  });
  return node;
}

function thingCard(thing) {
  return foldable(String(thing?.title), async (node) => {
    if (linkOf(thing, "controlledBy")) {
      node.append(foldable("Handler", () => follow(thing, "controlledBy")));
    }
    return thing;
  });
}

const place = (id) => document.getElementById(id);

/** Whether the Things can be asked; if not, the token is asked for. */
async function isLetIn() {
  const { tokenNeeded, signedIn, readable } = await standing();
  place("readable").hidden = !(tokenNeeded && readable);
  place("sign-out").hidden = !signedIn;
  place("sign-in").hidden = !tokenNeeded || signedIn;
  if (!tokenNeeded || signedIn) return true;
  place("summary").textContent = "Sign in to see the Things.";
  place("token").focus();
  return false;
}

place("sign-in").addEventListener("submit", async (event) => {
  event.preventDefault();
  const [field, refusal] = [place("token"), place("refusal")];
  refusal.textContent = "";
  try {
    await signIn(field.value.trim());
    main();
  } catch (problem) {
    refusal.textContent = problem.message;
  }
  field.value = "";
});

place("sign-out").addEventListener("click", async () => {
  await signOut();
  leave();
});

/** Nothing that was shown stays, and nothing goes on. */
function leave() {
  for (const card of [...open]) card.stop();
  place("things").replaceChildren();
  main();
}

let leaving = false;
addEventListener("unauthorized", () => {
  if (leaving) return;
  leaving = true;
  setTimeout(() => { leaving = false; leave(); }, 100);
});

async function main() {
  const summary = place("summary");
  try {
    if (!(await isLetIn())) return;
    const things = await explore();
    const wanted = decodeURIComponent(location.hash.slice(1));
    const cards = things.map((thing) => {
      const node = thingCard(thing);
      node.dataset.page = linkOf(thing, "alternate")?.href ?? "";
      return node;
    });
    place("things").replaceChildren(...cards);
    summary.textContent = things.length === 1 ? "1 Thing" : `${things.length} Things`;
    const chosen = cards.filter((node) => wanted && node.dataset.page.endsWith(`#${wanted}`));
    for (const node of chosen.length ? chosen : cards.slice(0, 3)) node.open = true;
    chosen[0]?.scrollIntoView();
  } catch (problem) {
    if (problem.status === 401) return; // the token is asked for
    summary.textContent = problem.message;
    setTimeout(main, 3000);
  }
}

main();
