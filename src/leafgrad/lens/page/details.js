// The panel beside the drawing: what the chosen node is, what backward does with its gradient, and why.

const MANY = 100; // entries in a list; who wants more searches

/** A button that leads to a node. */
function nodeLink(node, label = labelOf(node)) {
  const choose = () => select(node, { enlarge: true });
  return element("button", { class: `link ${data.nodes[node].kind}`, onclick: choose }, label);
}

/** Links to nodes with the shapes of their results, not too many. */
function links(nodes) {
  const shape = (node) => element("span", { class: "shape" }, ` ${shapeText(data.nodes[node].outputs[0].shape)}`);
  const items = nodes.slice(0, MANY).map((node) => [nodeLink(node), shape(node)]);
  return nodes.length > MANY ? [...items, `… ${nodes.length}`] : items;
}

function stepLink(step) {
  return element("button", { class: "link", onclick: () => goTo(step) }, text("details.step", { n: step }));
}

function section(title, ...content) {
  return element("section", {}, element("h3", {}, title), ...content);
}

function list(items) {
  return element("ul", {}, ...items.map((item) => element("li", {}, ...[item].flat())));
}

function showDetails() {
  const panel = byId("details");
  if (state.selected === null) return panel.replaceChildren(...overview());
  const index = state.selected, node = data.nodes[index];
  const parts = [heading(index, node), ...explanation(index, node)];
  if (node.kind === "operation") parts.push(derivative(node));
  parts.push(tensors(node));
  if (node.saved.length) parts.push(savedTensors(node));
  if (node.inputs.length) parts.push(section(text("details.inputs"), list(node.inputs.slice(0, MANY).map(inputItem))));
  if (users[index].length) parts.push(section(text("details.users"), list(links(users[index]))));
  const when = whenInBackward(index);
  if (when.length) parts.push(section(text("details.in_backward"), list(when)));
  parts.push(source(node));
  panel.replaceChildren(...parts);
  panel.scrollTop = 0;
}

/** What to say while nothing is chosen: the point of it all, and the leaves to choose from. */
function overview() {
  const parts = [element("p", { class: "hint" }, text("details.none"))];
  if (data.counts.run && data.steps.length) {
    const values = { peak: bytesText(largest("alive")), kept: bytesText(largest("kept")) };
    parts.push(section(text("memory"), element("p", {}, text("overview.memory", values))));
  }
  for (const [kind, title] of [["leaf", "overview.leaves"], ["constant", "overview.stops"]]) {
    const nodes = data.nodes.map((node, i) => i).filter((i) => data.nodes[i].kind === kind);
    if (nodes.length) parts.push(section(text(title), list(links(nodes))));
  }
  return parts;
}

function heading(index, node) {
  const unnamed = text(node.kind === "leaf" ? "leaf" : "details.tensor");
  const title = element("h2", { class: node.kind }, node.operation || nameOf(index) || unnamed);
  if (node.operation && nameOf(index)) title.append(element("i", {}, nameOf(index)));
  const kind = node.kind === "operation" ? node.type : text(node.kind === "leaf" ? "leaf" : `stop.${node.stop}`);
  const head = element("div", { class: "heading" }, title, element("p", { class: "kind" }, `${kind} · #${index}`));
  const id = boxIdOf(index), members = id ? boxes()[id].members : [index];
  if (members.length > 1) {
    const choose = element("select", { "aria-label": text("details.copies") });
    choose.addEventListener("change", () => select(members[choose.selectedIndex]));
    const copies = members.map((_, i) => text("details.copy", { i: i + 1, n: members.length }));
    choose.append(...copies.map((copy) => element("option", {}, copy)));
    choose.selectedIndex = members.indexOf(index);
    head.append(choose);
  }
  return head;
}

function explanation(index, node) {
  const retained = node.outputs.some((output) => output.retained);
  const lines = [];
  if (node.kind === "leaf") lines.push(text("explain.leaf"));
  else if (node.kind === "constant") lines.push(text(`explain.constant.${node.stop}`));
  else lines.push(text(retained ? "explain.retained" : "explain.operation", node));
  if (node.grad_bytes) lines.push(text("explain.leaf.filled", { bytes: bytesText(node.grad_bytes) }));
  if (node.kind !== "constant" && data.roots.some(([root]) => root === index)) lines.push(text("explain.root"));
  if (currentView().carried.includes(boxIdOf(index))) lines.push(text("explain.carried"));
  return lines.map((line) => element("p", {}, line));
}

function derivative(node) {
  const title = text("details.derivative");
  if (node.custom) return section(title, element("p", {}, text("details.custom")));
  if (!node.formula) return section(title, element("p", {}, text("details.no_formula")));
  const lines = node.formula.split("; ").map((line) => element("code", {}, line));
  const note = element("p", { class: "note" }, text("details.g"));
  return section(title, element("div", { class: "formula" }, ...lines), note);
}

function tensors(node) {
  const rows = node.outputs.slice(0, 12).map((output) => {
    const words = `${output.dtype} ${shapeText(output.shape)} · ${bytesText(output.bytes)}`;
    return output.name ? [element("b", {}, output.name), ` ${words}`] : words;
  });
  if (node.outputs.length > 12) rows.push(`… ${node.outputs.length}`);
  const several = node.outputs.length > 1 ? "details.results" : "details.result";
  return section(text(node.kind === "operation" ? several : "details.tensor"), list(rows));
}

function savedTensors(node) {
  const items = node.saved.map((saved) => {
    const item = [element("b", {}, saved.name ?? saved.slot ?? "?")];
    if (saved.name && saved.slot) item.push(` (${saved.slot})`);
    if (saved.storage) item.push(` ${saved.dtype} ${shapeText(saved.shape)} · ${bytesText(saved.bytes)}`);
    else item.push(` ${text("details.saved.packed")}`);
    if (saved.of_leaf) item.push(`, ${text("details.saved.of_leaf")}`);
    if (saved.is_result) item.push(`, ${text("details.saved.is_result")}`);
    if (saved.writes) item.push(element("strong", {}, ` ${text("details.saved.writes", { n: saved.writes })}`));
    return item;
  });
  if (node.released) items.push(text("details.saved.released"));
  return section(text("details.saved"), list(items));
}

function inputItem(input) {
  if (input.node === null) return element("span", { class: "note" }, text("details.no_input"));
  const output = data.nodes[input.node].outputs.length > 1 ? ` [${input.output}]` : "";
  return [nodeLink(input.node), output];
}

/** In which steps something happens to this node. */
function whenInBackward(index) {
  const items = [];
  data.steps.forEach((step, i) => {
    const isOurs = ([node]) => node === index;
    if (step.creates?.some(isOurs)) items.push([stepLink(i), `: ${text("when.appears")}`]);
    if (step.node !== index) return;
    const what = data.nodes[index].kind === "leaf" ? "when.fills" : step.retains ? "when.keeps" : "when.runs";
    items.push([stepLink(i), `: ${text(what)}`]);
    if (step.releases) items.push([stepLink(i), `: ${text("when.releases")}, ${bytesText(releasedBytes(step))}`]);
  });
  return items;
}

const releasedBytes = (step) => step.releases.reduce((sum, [, size]) => sum + size, 0);

function source(node) {
  const title = text("details.source");
  if (!node.place) return section(title, element("p", { class: "note" }, text("details.no_source")));
  const { file, line, function: name, text: code } = node.place;
  const content = [element("p", { class: "place" }, `${file}:${line}`, name === "<module>" ? "" : ` (${name})`)];
  if (code) content.push(element("pre", {}, code));
  return section(title, ...content);
}
