// Memory over the steps: gradients alive, what they would be if every non-leaf kept its own, and saved tensors.
// Each step takes one slot. In its first half the node runs, so what it reads and what it makes are alive together.

const CURVE = { left: 62, right: 12, top: 12, bottom: 24 };
let slot = 1; // width of one step
const SERIES = ["kept", "saved", "alive"]; // drawn in this order; the text of each stands in the readout

const curveSvg = (tag, attributes) => {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
};

/** Pairs (first half, second half) of each slot. */
function curveValues(series) {
  return data.steps.map((step, i) => {
    if (series === "alive") return [step.bytes.peak, step.bytes.gradients];
    if (series === "saved") return [data.steps[Math.max(i - 1, 0)].bytes.saved, step.bytes.saved];
    return [step.bytes.kept, step.bytes.kept];
  });
}

const largest = (series) => curveValues(series).reduce((most, pair) => Math.max(most, ...pair), 0);

function drawCurve() {
  const holder = byId("curve");
  if (!data.steps.length) return holder.replaceChildren();
  const width = Math.max(holder.clientWidth, 240), height = Math.max(holder.clientHeight, 90);
  const inner = { width: width - CURVE.left - CURVE.right, height: height - CURVE.top - CURVE.bottom };
  const top = Math.max(...SERIES.map(largest), 1) * 1.06;
  slot = inner.width / data.steps.length;
  const x = (at) => CURVE.left + at * slot, y = (value) => CURVE.top + inner.height * (1 - value / top);
  const svg = curveSvg("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img" });
  const most = { peak: bytesText(largest("alive")), kept: bytesText(largest("kept")) };
  svg.setAttribute("aria-label", text("memory.curve", most));
  svg.append(...axes(top, width, x, y));
  svg.append(curveSvg("rect", { class: "now", y: CURVE.top, height: inner.height, width: Math.max(slot, 2) }));
  const lines = SERIES.map((series) => curveLine(curveValues(series), x, y));
  svg.append(curveSvg("path", { class: "area", d: `${lines.at(-1)}V${y(0)}H${x(0)}Z` }));
  SERIES.forEach((series, i) => svg.append(curveSvg("path", { class: `line ${series}`, d: lines[i] })));
  svg.addEventListener("pointerdown", (event) => {
    const at = Math.floor((event.clientX - svg.getBoundingClientRect().left - CURVE.left) / slot);
    goTo(Math.min(Math.max(at, 0), data.steps.length - 1));
  });
  holder.replaceChildren(svg);
  moveCursor();
}

/** Stairs. With more slots than pixels, many fall on one pixel: of those, the highest is drawn. */
function curveLine(values, x, y) {
  const parts = [];
  const skip = Math.max(1, Math.floor(values.length / 4000));
  for (let i = 0; i < values.length; i += skip) {
    const group = values.slice(i, i + skip);
    const first = Math.max(...group.map((pair) => pair[0])), second = group.at(-1)[1];
    const middle = x(i + skip / 2).toFixed(2), end = x(Math.min(i + skip, values.length)).toFixed(2);
    parts.push(`${i ? "V" : `M${x(0)} `}${y(first).toFixed(1)}H${middle}V${y(second).toFixed(1)}H${end}`);
  }
  return parts.join("");
}

function axes(top, width, x, y) {
  const parts = [];
  for (const value of niceSteps(top)) {
    const at = y(value);
    parts.push(curveSvg("line", { class: "grid", x1: CURVE.left, x2: width - CURVE.right, y1: at, y2: at }));
    const label = curveSvg("text", { x: CURVE.left - 7, y: y(value) + 4, "text-anchor": "end" });
    label.textContent = bytesText(value);
    parts.push(label);
  }
  const count = data.steps.length, most = Math.max(4, Math.floor(width / 60));
  const every = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000].find((step) => count / step <= most);
  for (let i = 0; i < count; i += every) {
    const label = curveSvg("text", { x: x(i + 0.5), y: y(0) + 16, "text-anchor": "middle" });
    label.textContent = i;
    parts.push(label);
  }
  return parts;
}

/** Values from 0 to `top` at equal distances, a power of two. */
function niceSteps(top) {
  let step = 1;
  while (top / step > 5) step *= 2;
  return Array.from({ length: Math.floor(top / step) + 1 }, (_, i) => i * step);
}

function moveCursor() {
  byId("curve").querySelector(".now")?.setAttribute("x", CURVE.left + state.step * slot);
}

new ResizeObserver(() => drawCurve()).observe(byId("curve"));
