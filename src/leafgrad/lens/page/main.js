// Language, theme, keys and buttons; then the first look.

function applyTexts() {
  document.documentElement.lang = state.language;
  for (const found of document.querySelectorAll("[data-text]")) found.textContent = text(found.dataset.text);
  for (const found of document.querySelectorAll("[data-title]")) {
    found.title = text(found.dataset.title);
    found.setAttribute("aria-label", found.title);
  }
  for (const found of document.querySelectorAll("[data-label]")) {
    found.setAttribute("aria-label", text(found.dataset.label));
  }
  byId("search").placeholder = text(byId("search").dataset.hint);
  const names = [...new Set(data.roots.map(([node]) => labelOf(node)))].join(", ");
  document.title = text("page.title", { name: names });
  byId("roots").textContent = names;
  showCounts();
  for (const id of Object.keys(boxes())) {
    elements.get(id).setAttribute("role", "button");
    elements.get(id).setAttribute("aria-label", describeBox(id));
  }
  search(byId("search").value);
  showPlaying();
  showStep(true);
  drawCurve();
  showDetails();
}

function showCounts() {
  const { leaf, operation, constant } = data.counts;
  const parts = [text("count.leaf", { n: leaf }), text("count.operation", { n: operation })];
  if (constant) parts.push(text("count.constant", { n: constant }));
  parts.push(...data.blocks.map((block) => text("count.block", block)));
  parts.push(text("count.saved", { bytes: bytesText(data.saved_bytes) }));
  byId("counts").replaceChildren(...parts.map((part) => element("span", {}, part)));
  const { hidden } = currentView();
  const notes = [];
  if (hidden) notes.push(text("hidden", { n: hidden, total: data.nodes.length, most: data.limits.nodes }));
  if (hidden && data.steps.length) notes.push(text("hidden.plays"));
  if (!data.steps.length) notes.push(text("no_steps", { n: data.counts.run, most: data.limits.steps }));
  byId("notice").hidden = !notes.length;
  byId("notice").textContent = notes.join(" ");
}

function setLanguage(language) {
  state.language = language;
  applyTexts();
}

function setTheme(theme) {
  state.theme = theme;
  document.documentElement.style.colorScheme = theme;
}

function toggleFold() {
  if (data.views.length < 2) return;
  showView(1 - state.view);
  byId("fold").setAttribute("aria-pressed", String(state.view === 0));
  showStart();
  applyTexts();
  select(state.selected);
}

const actions = {
  "first": () => goTo(0),
  "back": () => goTo(state.step - 1),
  "play": () => (state.playing ? pause() : play()),
  "forward": () => goTo(state.step + 1),
  "last": () => goTo(data.steps.length - 1),
  "zoom-in": () => zoom(1.3),
  "zoom-out": () => zoom(1 / 1.3),
  "zoom-fit": showAll,
  "fold": toggleFold,
  "language": () => setLanguage(state.language === "en" ? "zh" : "en"),
  "theme": () => setTheme(state.theme === "dark" ? "light" : "dark"),
  "help": () => byId("help-dialog").showModal(),
};
for (const [id, action] of Object.entries(actions)) byId(id).addEventListener("click", action);

const KEYS = {
  " ": actions.play, "ArrowLeft": actions.back, "ArrowRight": actions.forward,
  "Home": actions.first, "End": actions.last,
  "ArrowUp": () => walk("up"), "ArrowDown": () => walk("down"), ",": () => walk("previous"), ".": () => walk("next"),
  "/": () => byId("search").focus(),
  "+": actions["zoom-in"], "=": actions["zoom-in"], "-": actions["zoom-out"], "0": showAll,
  "f": toggleFold, "l": actions.language, "t": actions.theme, "?": actions.help,
  "Escape": () => { clearSearch(); select(null); },
};
addEventListener("keydown", (event) => {
  const target = event.target;
  if (event.ctrlKey || event.metaKey || event.altKey || byId("help-dialog").open) return;
  if (target === byId("search")) {
    if (event.key === "Enter") selectNextFound();
    else if (event.key === "Escape") { clearSearch(); target.blur(); }
    return;
  }
  // What a control does itself with a key stays its own.
  if (target.matches("select, summary") || (target.matches("button") && [" ", "Enter"].includes(event.key))) return;
  if (event.key === "Enter" && target.matches(".box")) return select(memberOf(target.id), { follow: false });
  if (target.id === "slider" && /^(Arrow|Home|End)/.test(event.key)) return;
  const action = KEYS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (!action) return;
  event.preventDefault();
  action();
});

function clearSearch() {
  byId("search").value = "";
  search("");
}

byId("search").addEventListener("input", (event) => search(event.target.value));
byId("slider").addEventListener("input", (event) => goTo(Number(event.target.value)));
byId("slider").max = Math.max(data.steps.length - 1, 0);
byId("fold").hidden = data.views.length < 2;
byId("player").classList.toggle("empty", !data.steps.length);
for (const drawing of drawings) {
  drawing.setAttribute("width", "100%");
  drawing.setAttribute("height", "100%");
}

setTheme(state.theme);
showView(0);
select(null);
showStart();
applyTexts();
