// What the page knows: the graph's data, the texts, and the few things that change. Every file of the script shares
// this scope; state.js comes first, main.js last. Tests read window.leafgrad.

const data = JSON.parse(document.getElementById("data").textContent);
const texts = JSON.parse(document.getElementById("texts").textContent);

const state = {
  language: navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en",
  theme: matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light",
  view: 0, // which of data.views
  step: 0,
  playing: false,
  selected: null, // number of a node
  found: [], // boxes that the search found
};

const byId = (id) => document.getElementById(id);

/** The text of `key`, its {names} filled in. "one|many" chooses by the value n. */
function text(key, values = {}) {
  let form = texts[state.language][key] ?? key;
  if (form.includes("|")) form = form.split("|")[values.n === 1 ? 0 : 1];
  return form.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
}

/** An element with attributes and children; strings become text. */
function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

function bytesText(count) {
  if (count < 1024) return `${count} B`;
  let size = count;
  for (const unit of ["KiB", "MiB", "GiB", "TiB"]) {
    size /= 1024;
    if (size < 1024) return `${Number(size.toPrecision(3))} ${unit}`;
  }
  return `${Math.round(size)} TiB`;
}

function shapeText(shape) {
  if (!shape) return "?";
  if (!shape.length) return state.language === "zh" ? "标量" : "scalar";
  return `(${shape.join(", ")}${shape.length === 1 ? "," : ""})`;
}

const nameOf = (node) => data.nodes[node].outputs.map((output) => output.name).find(Boolean);

/** A node in one word; the number tells nodes without a name apart. */
function labelOf(node) {
  const { kind, operation } = data.nodes[node];
  return nameOf(node) ?? `${operation || text(kind === "leaf" ? "leaf" : "stop.data")} #${node}`;
}

// Who uses a node's results. A node that uses one twice comes twice in a row, so that the last entry tells.
const users = data.nodes.map(() => []);
data.nodes.forEach((node, index) => {
  for (const input of node.inputs) {
    if (input.node !== null && users[input.node].at(-1) !== index) users[input.node].push(index);
  }
});

const currentView = () => data.views[state.view];
const boxes = () => currentView().boxes;

// Which box a node is in, for each view.
const boxOf = data.views.map((view) => {
  const map = new Map();
  for (const [id, box] of Object.entries(view.boxes)) for (const node of box.members) map.set(node, id);
  return map;
});
const boxIdOf = (node) => boxOf[state.view].get(node);

window.leafgrad = {
  get counts() { return { ...data.counts, boxes: Object.keys(boxes()).length, hidden: currentView().hidden }; },
  get step() { return state.step; },
  get steps() { return Math.max(data.steps.length - 1, 0); },
  get bytes() { return data.steps.length ? { ...data.steps[state.step].bytes } : null; },
  get playing() { return state.playing; },
  get selected() { return state.selected; },
  get language() { return state.language; },
  get theme() { return state.theme; },
  get folded() { return state.view === 0 && data.blocks.length > 0; },
  get found() { return state.found.length; },
};
