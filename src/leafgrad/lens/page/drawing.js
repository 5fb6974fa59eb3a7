// The drawing: which box is which, choosing one, and what the player's step makes of each.

const drawings = [...document.querySelectorAll("#canvas > svg.drawing")];
const elements = new Map(); // id of a box -> its element
const arrowsInto = new Map(); // id of a box -> arrows that lead to it

for (const drawing of drawings) {
  drawing.setAttribute("role", "group");
  for (const box of drawing.querySelectorAll(".box")) elements.set(box.id, box);
  for (const arrow of drawing.querySelectorAll(".arrow")) {
    if (!arrowsInto.has(arrow.dataset.to)) arrowsInto.set(arrow.dataset.to, []);
    arrowsInto.get(arrow.dataset.to).push(arrow);
  }
}

function showView(view) {
  state.view = view;
  drawings.forEach((drawing, i) => drawing.classList.toggle("hidden", i !== view));
  if (state.selected !== null && !boxIdOf(state.selected)) state.selected = null;
}

/** The node of a box to speak of: the one that runs now, or the first. */
function memberOf(id) {
  const { members } = boxes()[id], running = data.steps[state.step]?.node;
  return members.includes(running) ? running : members[0];
}

/** What a screen reader says of a box. */
function describeBox(id) {
  const { members, name } = boxes()[id];
  const node = data.nodes[members[0]];
  const output = node.outputs[0];
  const words = [node.operation, name];
  if (node.kind !== "operation") words.push(text(node.kind === "leaf" ? "leaf" : `stop.${node.stop}`));
  words.push(`${output.dtype} ${shapeText(output.shape)}`);
  if (node.outputs.some((o) => o.retained)) words.push(text("legend.retained"));
  const kept = node.saved.map((saved) => saved.name ?? saved.slot);
  if (kept.length) words.push(`${text("details.saved")}: ${kept.join(", ")}`);
  if (members.length > 1) words.push(`× ${members.length}`);
  return words.filter(Boolean).join(", ");
}

function select(node, { focus = false, follow = true, enlarge = false } = {}) {
  state.selected = node;
  for (const box of elements.values()) {
    box.classList.remove("selected");
    box.setAttribute("tabindex", "-1");
  }
  const id = node === null ? Object.keys(boxes())[0] : boxIdOf(node);
  const box = elements.get(id);
  if (box) {
    box.setAttribute("tabindex", "0"); // one stop for Tab in the whole drawing
    box.classList.toggle("selected", node !== null);
    if (focus) box.focus({ preventScroll: true });
    if (follow && node !== null) reveal(box, enlarge);
  }
  showDetails();
}

/** To the first input ("up") or the first user ("down") that is drawn, or to the previous or next box. */
function walk(direction) {
  if (state.selected === null) return select(data.roots[0][0], { focus: true });
  const here = boxIdOf(state.selected);
  const members = boxes()[here].members;
  let targets;
  if (direction === "up") targets = members.flatMap((i) => data.nodes[i].inputs.map((input) => input.node));
  else if (direction === "down") targets = members.flatMap((i) => users[i]);
  else {
    const ids = Object.keys(boxes());
    const at = (ids.indexOf(here) + (direction === "next" ? 1 : -1) + ids.length) % ids.length;
    targets = [memberOf(ids[at])];
  }
  const isThere = (i) => i !== null && boxIdOf(i) && boxIdOf(i) !== here;
  // Going up, operations first: that is the way to the far end.
  const isOperation = (i) => data.nodes[i].kind === "operation";
  const target = targets.filter(isThere).sort((a, b) => isOperation(b) - isOperation(a))[0];
  if (target !== undefined) select(target, { focus: true });
}

function search(query) {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  state.found = [];
  for (const [id, { members, name }] of Object.entries(boxes())) {
    const node = data.nodes[members[0]];
    const all = [name, node.type, node.operation, node.kind, ...members.map((i) => nameOf(i) ?? "")];
    all.push(...node.outputs.map((output) => `${output.dtype} ${shapeText(output.shape)}`));
    all.push(...node.saved.map((saved) => saved.name ?? ""), node.place?.text ?? "", node.stop ?? "");
    const haystack = all.join(" ").toLowerCase();
    const found = words.length > 0 && words.every((word) => haystack.includes(word));
    if (found) state.found.push(id);
    elements.get(id).classList.toggle("found", found);
    elements.get(id).classList.toggle("faded", words.length > 0 && !found);
  }
  byId("found").textContent = words.length ? text("search.found", { n: state.found.length }) : "";
  if (state.found.length) reveal(elements.get(state.found[0]));
}

function selectNextFound() {
  if (!state.found.length) return;
  const at = state.selected === null ? -1 : state.found.indexOf(boxIdOf(state.selected));
  select(memberOf(state.found[(at + 1) % state.found.length]), { enlarge: true });
}

/** Words on the tag under a box, and room for them. */
function showBuffer(box, words) {
  const tag = box.querySelector(".buffer");
  if (!tag) return;
  const width = 20 + [...words].reduce((sum, letter) => sum + (letter > "\u2e80" ? 11 : 6.1), 0);
  const shape = tag.querySelector("rect"), label = tag.querySelector("text");
  label.textContent = words;
  shape.setAttribute("width", width);
  shape.setAttribute("x", -width);
  label.setAttribute("x", -width / 2);
}

// --- what a step of backward looks like; `status` and the step stand in player.js

const PHASES = ["waiting", "freed", "kept", "filled", "running", "begun", "ran", "released"];
let lastRunning = null; // box of the step before

/** Show `status` on the boxes of the nodes that `changed`, or on all where that is null. */
function paint(changed) {
  const step = data.steps[state.step];
  const running = step.node === undefined ? null : boxIdOf(step.node);
  const ids = changed ? new Set([...changed].map(boxIdOf).concat(running, lastRunning)) : Object.keys(boxes());
  for (const id of ids) if (boxes()[id]) paintBox(id, id === running);
  lastRunning = running;
  for (const arrow of document.querySelectorAll(".arrow.carrying")) arrow.classList.remove("carrying");
  const sent = new Set([...(step.creates ?? []), ...(step.adds ?? [])].map(([node]) => boxIdOf(node)));
  for (const arrow of arrowsInto.get(running) ?? []) if (sent.has(arrow.dataset.from)) arrow.classList.add("carrying");
}

function paintBox(id, running) {
  const box = elements.get(id), { members } = boxes()[id], { kind, saved } = data.nodes[members[0]];
  const sum = (part) => members.reduce((total, node) => total + status[part][node], 0);
  const waiting = sum("waiting"), kept = sum("kept"), filled = sum("filled"), ran = sum("ran");
  const isLeaf = kind === "leaf";
  const on = {
    waiting: waiting > 0,
    kept: !waiting && kept > 0,
    filled: isLeaf && filled > 0,
    freed: !waiting && !kept && !isLeaf && ran > 0,
    running,
    begun: ran > 0 && members.length > 1,
    ran: ran === members.length,
    released: ran === members.length && saved.length > 0,
  };
  for (const phase of PHASES) box.classList.toggle(phase, on[phase]);
  const badge = box.querySelector(".badge text");
  if (badge) badge.textContent = `${ran}/${members.length}`;
  if (waiting) showBuffer(box, `∂ ${bytesText(waiting)}`);
  else if (isLeaf) showBuffer(box, `.grad ${bytesText(filled)}`);
  else showBuffer(box, kept ? `${text("state.kept")} ${bytesText(kept)}` : text("state.freed"));
}
