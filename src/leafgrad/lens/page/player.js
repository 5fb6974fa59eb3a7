// Backward, played: which step it is, what that step did, and what is alive after it.

let timer = null;

// What has happened to each node up to and including the step: bytes that wait, that retain_grad() kept, that are in a
// leaf's .grad; and whether it has run.
const status = {
  step: -1,
  waiting: new Float64Array(data.nodes.length),
  kept: new Float64Array(data.nodes.length),
  filled: new Float64Array(data.nodes.length),
  ran: new Uint8Array(data.nodes.length),
};

/** Bring `status` to `step`; gives the nodes that changed, or null where that may be any. */
function advanceTo(step) {
  const again = step < status.step;
  if (again || status.step < 0) {
    for (const part of ["waiting", "kept", "ran"]) status[part].fill(0);
    status.filled.set(data.nodes.map((node) => node.grad_bytes));
    status.step = -1;
  }
  const changed = status.step < 0 ? null : new Set();
  while (status.step < step) {
    status.step += 1;
    const done = data.steps[status.step];
    for (const [node, , size] of done.creates ?? []) {
      status.waiting[node] += size;
      changed?.add(node);
    }
    if (done.node === undefined) continue;
    const sum = (buffers = []) => buffers.reduce((total, [, , size]) => total + size, 0);
    status.waiting[done.node] = 0;
    status.ran[done.node] = 1;
    status.kept[done.node] += sum(done.retains);
    if (data.nodes[done.node].kind === "leaf" && !done.frees) status.filled[done.node] = sum(done.reads);
    changed?.add(done.node);
  }
  return changed;
}

function goTo(step) {
  state.step = Math.min(Math.max(step, 0), Math.max(data.steps.length - 1, 0));
  if (state.step === data.steps.length - 1) pause();
  byId("slider").value = state.step;
  showStep();
  const running = data.steps[state.step]?.node;
  const box = elements.get(boxIdOf(running ?? data.roots[0][0]));
  if (box) reveal(box);
}

/** Show the step everywhere; `all` paints every box anew, as after a change of language or view. */
function showStep(all = false) {
  if (!data.steps.length) return;
  const changed = advanceTo(state.step);
  paint(all ? null : changed);
  moveCursor();
  const step = data.steps[state.step], of = text("player.of", { i: state.step, n: data.steps.length - 1 });
  byId("slider").setAttribute("aria-valuetext", `${of}: ${stepTitle(step)}`);
  byId("step-title").replaceChildren(element("span", {}, of), ` ${stepTitle(step)}`);
  const verbs = ["reads", "creates", "adds", "retains", "frees"].filter((verb) => step[verb]);
  const rows = verbs.map((verb) => verbRow(verb, step[verb]));
  if (step.releases) {
    rows.push([element("dt", { class: "releases" }, text("verb.releases")), element("dd", {}, releasedText(step))]);
  }
  byId("step").replaceChildren(...rows.flat());
  showReadout(step.bytes);
}

function stepTitle(step) {
  if (step.node === undefined) return text(step.creates ? "step.start" : "step.none");
  if (data.nodes[step.node].kind !== "leaf") return text("step.runs", { label: titleOf(step.node) });
  return text(step.frees ? "step.adds" : "step.fills", { label: labelOf(step.node) });
}

function titleOf(node) {
  const name = nameOf(node), { operation } = data.nodes[node];
  return name ? `${name} = ${operation}` : labelOf(node);
}

function verbRow(verb, buffers) {
  const shown = buffers.slice(0, 8).map(([node, , size]) => {
    const link = nodeLink(node, `∂${labelOf(node)}`);
    return element("span", {}, link, ` ${bytesText(size)}`);
  });
  if (buffers.length > 8) shown.push(element("span", {}, `… ${buffers.length}`));
  return [element("dt", { class: verb }, text(`verb.${verb}`)), element("dd", {}, ...shown)];
}

/** Which saved tensors a step lets go, by the names that their nodes have for them. */
function releasedText(step) {
  const gone = new Set(step.releases.map(([storage]) => storage));
  const released = data.nodes[step.node].saved.filter((saved) => gone.has(saved.storage));
  const names = released.map((saved) => saved.name ?? saved.slot);
  return `${text("saved.tensors")} ${[...new Set(names)].join(", ")} · ${bytesText(releasedBytes(step))}`;
}

function showReadout(bytes) {
  const card = (key, value, note = "") => [
    element("dt", { class: key }, text(`memory.${key}`)),
    element("dd", {}, bytesText(value), note ? element("small", {}, note) : ""),
  ];
  const parts = ["buffers", "leaves"];
  if (data.steps.at(-1).bytes.retained) parts.push("retained");
  const note = parts.map((key) => `${text(`memory.${key}`)} ${bytesText(bytes[key])}`).join(" + ");
  byId("readout").replaceChildren(
    ...card("alive", bytes.gradients, note),
    ...card("kept", bytes.kept),
    ...card("saved", bytes.saved),
  );
}

function play() {
  if (!data.steps.length) return;
  if (state.step === data.steps.length - 1) goTo(0);
  state.playing = true;
  showPlaying();
  const tick = () => {
    goTo(state.step + 1);
    if (state.playing) timer = setTimeout(tick, Number(byId("speed").value));
  };
  timer = setTimeout(tick, Number(byId("speed").value) / 2);
}

function pause() {
  clearTimeout(timer);
  state.playing = false;
  showPlaying();
}

function showPlaying() {
  const button = byId("play");
  button.classList.toggle("playing", state.playing);
  button.title = text(state.playing ? "player.pause" : "player.play");
  button.setAttribute("aria-label", button.title);
}
