// Moving about in the drawing: each drawing keeps a corner and a scale, and its viewBox follows.

const canvas = byId("canvas");
const cameras = drawings.map((drawing) => ({
  width: Number(drawing.getAttribute("width")),
  height: Number(drawing.getAttribute("height")),
  x: 0,
  y: 0,
  scale: 1,
}));
// Asking for the size makes the browser lay out the whole drawing, so it is asked only when it has changed.
const measured = () => ({ width: canvas.clientWidth, height: canvas.clientHeight });
const room = measured();
let gliding = 0; // the animation frame of a movement under way
const LEAST = 0.05, MOST = 3, READABLE = 0.62;

function applyCamera() {
  const camera = cameras[state.view];
  const width = room.width / camera.scale, height = room.height / camera.scale;
  // Keep a part of the drawing in sight.
  camera.x = Math.min(Math.max(camera.x, -width * 0.8), camera.width - width * 0.2);
  camera.y = Math.min(Math.max(camera.y, -height * 0.8), camera.height - height * 0.2);
  drawings[state.view].setAttribute("viewBox", `${camera.x} ${camera.y} ${width} ${height}`);
}

function showAll() {
  const camera = cameras[state.view];
  camera.scale = Math.max(LEAST, Math.min(room.width / camera.width, room.height / camera.height, 1.25));
  centre(camera.width / 2, camera.height / 2);
}

/** The first look: everything if it can be read, else the result, where backward begins. */
function showStart() {
  showAll();
  const camera = cameras[state.view];
  if (camera.scale >= READABLE) return;
  camera.scale = Math.max(READABLE, Math.min(1, room.width / camera.width));
  const root = elements.get(boxIdOf(data.roots[0][0]));
  const { x, y, width, height } = place(root);
  centre(x + width / 2, y + height + 40 - room.height / camera.scale / 2);
}

function centre(x, y) {
  cancelAnimationFrame(gliding);
  const camera = cameras[state.view];
  camera.x = x - room.width / camera.scale / 2;
  camera.y = y - room.height / camera.scale / 2;
  applyCamera();
}

function zoom(factor, clientX, clientY) {
  const camera = cameras[state.view];
  const frame = canvas.getBoundingClientRect();
  const px = clientX === undefined ? frame.width / 2 : clientX - frame.left;
  const py = clientY === undefined ? frame.height / 2 : clientY - frame.top;
  const scale = Math.min(MOST, Math.max(LEAST, camera.scale * factor));
  camera.x += px / camera.scale - px / scale;
  camera.y += py / camera.scale - py / scale;
  camera.scale = scale;
  applyCamera();
}

const places = new Map(); // asking the browser makes it lay out the whole drawing, so each box is asked once

function place(box) {
  if (!places.has(box)) {
    const { e, f } = box.transform.baseVal.consolidate().matrix;
    const { width, height } = box.querySelector(".shape").getBBox();
    places.set(box, { x: e, y: f, width, height });
  }
  return places.get(box);
}

/** Bring a box into sight, if it is not; with `enlarge`, so that it can be read. */
function reveal(box, enlarge = false) {
  const camera = cameras[state.view];
  const small = enlarge && camera.scale < READABLE;
  if (small) camera.scale = 0.9;
  const { x, y, width, height } = place(box);
  const viewWidth = room.width / camera.scale, viewHeight = room.height / camera.scale;
  const beside = x < camera.x || x + width > camera.x + viewWidth;
  const beyond = y < camera.y + 20 || y + height > camera.y + viewHeight - 20;
  if (beside || beyond || small) glide(x + width / 2 - viewWidth / 2, y + height / 2 - viewHeight / 2);
}

/** Move the corner there, so that the eye can follow. */
function glide(x, y) {
  const camera = cameras[state.view], from = { x: camera.x, y: camera.y }, begun = performance.now();
  const time = matchMedia("(prefers-reduced-motion: reduce)").matches ? 0 : 260;
  cancelAnimationFrame(gliding);
  const frame = (now) => {
    const part = time ? Math.min((now - begun) / time, 1) : 1;
    const eased = 1 - (1 - part) ** 3;
    camera.x = from.x + (x - from.x) * eased;
    camera.y = from.y + (y - from.y) * eased;
    applyCamera();
    if (part < 1) gliding = requestAnimationFrame(frame);
  };
  frame(begun);
}

canvas.addEventListener("wheel", (event) => {
  if (event.target.closest(".legend")) return;
  event.preventDefault();
  if (event.ctrlKey || event.metaKey) return zoom(Math.exp(-event.deltaY * 0.004), event.clientX, event.clientY);
  const camera = cameras[state.view];
  camera.x += (event.shiftKey ? event.deltaY : event.deltaX) / camera.scale;
  camera.y += (event.shiftKey ? 0 : event.deltaY) / camera.scale;
  applyCamera();
}, { passive: false });

// Dragging; two fingers zoom. A press that does not move chooses the box under it.
const pointers = new Map();
let moved = false;

canvas.addEventListener("pointerdown", (event) => {
  if (event.target.closest("button, .legend")) return;
  pointers.set(event.pointerId, event);
  moved = false;
});
addEventListener("pointermove", (event) => {
  const before = pointers.get(event.pointerId);
  if (!before) return;
  const dx = event.clientX - before.clientX, dy = event.clientY - before.clientY;
  if (!moved && Math.hypot(dx, dy) < 4) return;
  cancelAnimationFrame(gliding);
  moved = true;
  if (pointers.size === 2) {
    const other = [...pointers.values()].find((pointer) => pointer.pointerId !== event.pointerId);
    const span = (pointer) => Math.hypot(pointer.clientX - other.clientX, pointer.clientY - other.clientY);
    zoom(span(event) / Math.max(span(before), 1), other.clientX, other.clientY);
  } else {
    const camera = cameras[state.view];
    camera.x -= dx / camera.scale;
    camera.y -= dy / camera.scale;
    applyCamera();
  }
  pointers.set(event.pointerId, event);
});
for (const kind of ["pointerup", "pointercancel"]) addEventListener(kind, (event) => pointers.delete(event.pointerId));
canvas.addEventListener("click", (event) => {
  if (moved || event.target.closest("button, .legend")) return;
  const box = event.target.closest(".box");
  select(box ? memberOf(box.id) : null, { focus: Boolean(box), follow: false });
});

// A change of the window's size keeps the middle in the middle.
new ResizeObserver(() => {
  const { width, height } = room;
  Object.assign(room, measured());
  for (const camera of cameras) {
    camera.x -= (room.width - width) / camera.scale / 2;
    camera.y -= (room.height - height) / camera.scale / 2;
  }
  applyCamera();
}).observe(canvas);
