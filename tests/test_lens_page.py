"""The page that `Graph.to_html` writes, in a real browser: what it shows, plays, says and answers to.

One headless Chromium serves the whole file. Expected figures are written down here for the article's program and come
from `backward_steps` for the others, which test_lens_schedule.py compares with the engine.
"""

import json
import os
import re
import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest
from lens_programs import article, mlp, transformer

import leafgrad as torch
from leafgrad import _core

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
NEEDED = {
    "a Chromium": CHROMIUM,
    "chromedriver": DRIVER,
    "selenium": find_spec("selenium"),
    "igraph": find_spec("igraph"),
}
missing = [name for name, found in NEEDED.items() if not found]

pytestmark = pytest.mark.leafgrad_only
in_browser = pytest.mark.skipif(bool(missing), reason=f"needs {' and '.join(missing)}")

OPTIONS = (
    "--headless=new --no-sandbox --disable-gpu --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --disable-quic --window-size=1440,900 --lang=en"
)
PAGE = Path(__file__).parents[1] / "src" / "leafgrad" / "lens" / "page"


class Page:
    """A driver, and short words for what the tests do with it."""

    def __init__(self, driver):
        self.driver = driver

    def open(self, graph, path):
        graph.to_html(path)
        self.driver.get(path.as_uri())

    def js(self, expression):
        return self.driver.execute_script(f"return {expression}")

    def state(self, name):
        return self.js(f"window.leafgrad.{name}")

    def press(self, *keys):
        from selenium.webdriver import ActionChains

        ActionChains(self.driver, duration=0).send_keys(*keys).perform()

    def find(self, selector):
        return self.driver.find_element("css selector", selector)

    def all(self, selector):
        return self.driver.find_elements("css selector", selector)

    def text(self, selector):
        return self.find(selector).text

    def click(self, selector):
        self.find(selector).click()

    def wait(self, condition):
        from selenium.webdriver.support.ui import WebDriverWait

        WebDriverWait(self.driver, 20, poll_frequency=0.05).until(lambda _: condition())

    def play_in_steps(self):
        """The bytes after each step, every one reached by the button."""
        return self.js(
            """(() => { const seen = [window.leafgrad.bytes];
            while (window.leafgrad.step < window.leafgrad.steps) {
              document.getElementById("forward").click(); seen.push(window.leafgrad.bytes); }
            return seen; })()"""
        )


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for option in [*OPTIONS.split(), f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"]:
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    environment = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
    driver = webdriver.Chrome(options=options, service=Service(DRIVER, env=environment))
    yield driver
    driver.quit()


@pytest.fixture
def page(driver):
    """The browser; whatever the page writes to the console fails the test."""
    driver.get("about:blank")
    driver.get_log("browser")
    yield Page(driver)
    assert driver.get_log("browser") == []


@pytest.fixture
def path(tmp_path):
    return tmp_path / "graph.html"


def keys():
    from selenium.webdriver.common.keys import Keys

    return Keys


def article_graph():
    t = article()
    return torch.graph(t["y"], params=t)


def names_with(page, state):
    """Names or operations of the boxes that are in a state."""
    script = f"""[...document.querySelectorAll(".drawing:not(.hidden) .box.{state}")].map(
        (box) => (box.querySelector(".name") ?? box.querySelector(".title")).textContent).sort()"""
    return page.js(script)


def as_shown(step):
    return {
        "buffers": step.buffer_bytes,
        "leaves": step.leaf_bytes,
        "retained": step.retained_bytes,
        "saved": step.saved_bytes,
        "gradients": step.gradient_bytes,
        "peak": step.peak_bytes,
        "kept": step.kept_bytes,
    }


# --- what it shows and plays


@in_browser
def test_the_articles_page_shows_its_counts_and_plays_with_these_bytes(page, path):
    page.open(article_graph(), path)
    counts = page.state("counts")
    assert counts == {"leaf": 2, "operation": 3, "constant": 0, "edge": 5, "run": 5, "boxes": 5, "hidden": 0}
    shown = [span.text for span in page.all("#counts span")]
    assert shown == ["2 leaves", "3 operations", "8 B saved for backward"]
    assert len(page.all(".box")) == 5 and len(page.all(".arrow")) == 5 and page.text("#roots") == "y"
    seen = page.play_in_steps()
    assert [bytes["buffers"] for bytes in seen] == [4, 8, 8, 8, 4, 0]
    assert [bytes["leaves"] for bytes in seen] == [0, 0, 0, 0, 4, 8]
    assert [bytes["saved"] for bytes in seen] == [8, 0, 0, 0, 0, 0]
    assert [bytes["kept"] for bytes in seen] == [4, 12, 16, 20, 20, 20]
    assert [bytes["peak"] for bytes in seen] == [4, 12, 12, 12, 8, 8]


@in_browser
def test_buffers_appear_are_read_and_freed_and_leaves_fill(page, path):
    page.open(article_graph(), path)
    shown = []
    for _ in range(6):
        shown.append([names_with(page, state) for state in ("waiting", "freed", "filled", "running", "released")])
        page.press(keys().ARROW_RIGHT)
    assert shown == [
        [["y"], [], [], [], []],
        [["a", "b"], ["y"], [], ["y"], ["y"]],
        [["a", "w"], ["b", "y"], [], ["b"], ["y"]],
        [["w", "x"], ["a", "b", "y"], [], ["a"], ["y"]],
        [["x"], ["a", "b", "y"], ["w"], ["w"], ["y"]],
        [[], ["a", "b", "y"], ["w", "x"], ["x"], ["y"]],
    ]
    assert page.text("#step-title") == "step 5 of 5 .grad of x is filled"


@in_browser
@pytest.mark.parametrize("program", [mlp, transformer])
def test_a_models_page_shows_its_counts_and_plays_to_the_end_with_the_right_bytes(page, path, program):
    model, loss = program()
    graph = torch.graph(loss, params=model)
    page.open(graph, path)
    counts = page.state("counts")
    assert (counts["leaf"], counts["operation"]) == (len(graph.leaves), len(graph.operations))
    assert counts["boxes"] == len(graph.view().boxes) < len(graph.nodes) and page.state("folded")
    assert page.play_in_steps() == [as_shown(step) for step in graph.backward_steps()]
    assert page.state("step") == len(graph.order)
    assert names_with(page, "waiting") == []
    assert len(names_with(page, "filled")) == sum(box.kind == "leaf" for box in graph.view().boxes)


@in_browser
def test_play_runs_by_itself_to_the_end_and_pause_stops_it(page, path):
    model, loss = mlp()
    graph = torch.graph(loss, params=model)
    page.open(graph, path)
    page.press(" ")
    assert page.state("playing")
    page.wait(lambda: page.state("step") > 0)
    page.press(" ")
    assert not page.state("playing") and page.state("step") < page.state("steps")
    page.js("(() => { const speed = document.getElementById('speed'); speed.value = '20'; })()")
    page.click("#play")
    page.wait(lambda: not page.state("playing"))
    assert page.state("step") == len(graph.order)


@in_browser
def test_the_curve_and_the_slider_go_to_a_step(page, path):
    page.open(article_graph(), path)
    assert "reach 12 B" in page.find("#curve svg").get_attribute("aria-label")
    page.js("(s => { s.value = 3; s.dispatchEvent(new Event('input')); })(document.getElementById('slider'))")
    assert page.state("step") == 3 and page.text("#readout dd").startswith("8 B")
    from selenium.webdriver import ActionChains

    curve = page.find("#curve svg")
    ActionChains(page.driver).move_to_element_with_offset(curve, curve.size["width"] // 2 - 40, 0).click().perform()
    assert page.state("step") == 5


@in_browser
def test_a_retained_gradient_is_kept_to_the_end(page, path):
    t = article()
    t["a"].retain_grad()
    page.open(torch.graph(t["y"], params=t), path)
    page.press(keys().END)
    assert names_with(page, "kept") == ["a"] == names_with(page, "retained")
    assert "retained 4 B" in page.text("#readout")


@in_browser
def test_folded_blocks_count_their_copies_and_unfold(page, path):
    model, loss = mlp(layers=4)
    graph = torch.graph(loss, params=model)
    page.open(graph, path)
    badge = "document.querySelector('.drawing:not(.hidden) .frame .badge text').textContent"
    assert page.js(badge) == "× 4"
    page.press(keys().END)
    assert (
        page.js("[...document.querySelectorAll('.box.leaf.ran .badge text')].map((t) => t.textContent)") == ["4/4"] * 2
    )
    page.press("f")
    assert not page.state("folded") and page.state("counts")["boxes"] == len(graph.nodes)
    assert len(names_with(page, "filled")) == len(graph.leaves)
    page.press("f")
    page.press("0")
    page.click(".drawing:not(.hidden) .box.leaf:has(.badge)")
    choose = page.find("#details select")
    assert choose.text.split("\n") == ["copy 1 of 4", "copy 2 of 4", "copy 3 of 4", "copy 4 of 4"]


# --- what it answers to


@in_browser
def test_every_action_has_a_key(page, path):
    page.open(article_graph(), path)
    key = keys()
    page.press(key.END)
    assert page.state("step") == 5
    page.press(key.ARROW_LEFT)
    assert page.state("step") == 4
    page.press(key.HOME)
    assert page.state("step") == 0
    page.press("/", "add", key.ENTER)
    assert page.state("found") == 2 and page.text("#found") == "2 found" and "add" in page.text("#details h2")
    page.press(key.ESCAPE)
    assert page.state("found") == 0
    page.press("?")
    assert page.js("document.getElementById('help-dialog').open")
    page.press(key.ESCAPE)
    assert not page.js("document.getElementById('help-dialog').open")
    scale = page.js("document.querySelector('#canvas > .drawing').getAttribute('viewBox')")
    page.press("+")
    assert page.js("document.querySelector('#canvas > .drawing').getAttribute('viewBox')") != scale
    page.press("0")
    assert page.js("document.querySelector('#canvas > .drawing').getAttribute('viewBox')") == scale


@in_browser
def test_the_arrow_keys_walk_along_the_edges_and_focus_is_seen(page, path):
    page.open(article_graph(), path)
    walked = []
    for pressed in (keys().ARROW_DOWN, keys().ARROW_UP, keys().ARROW_UP, keys().ARROW_DOWN, ".", ","):
        page.press(pressed)
        walked.append(page.text("#details h2").split("\n")[-1].split()[-1])
    assert walked[0] == "y" and walked[1] == "a" and walked[2] in ("w", "x") and walked[3] in ("a", "b")
    assert page.js("document.activeElement.classList.contains('selected')")
    assert page.js("document.activeElement.getAttribute('aria-label')").startswith(("add, ", "w, ", "x, ", "mul, "))
    outline = page.js("getComputedStyle(document.activeElement.querySelector('.shape')).strokeWidth")
    assert float(outline.removesuffix("px")) > 3


@in_browser
def test_tab_reaches_every_control_and_the_drawing_as_one_stop(page, path):
    page.open(article_graph(), path)
    reached = []
    for _ in range(25):
        page.press(keys().TAB)
        reached.append(page.js("document.activeElement.id"))
    controls = ["search", "language", "theme", "help", "first", "back", "play", "forward", "last", "speed", "slider"]
    assert [c for c in controls if c not in reached] == []
    boxes = [id for id in reached if re.fullmatch(r"[nb]\d+", id)]
    assert len(set(boxes)) == 1
    page.js(f"document.getElementById('{boxes[0]}').focus()")
    page.press(keys().ENTER)
    assert page.state("selected") == 0


@in_browser
def test_the_language_changes_everywhere_and_nothing_is_left_untranslated(page, path):
    page.open(article_graph(), path)
    assert page.state("language") == "en" and page.js("document.documentElement.lang") == "en"
    page.press("l")
    assert page.state("language") == "zh" and page.js("document.documentElement.lang") == "zh"
    assert (
        page.text("#counts").startswith("2 个叶子") and page.text("#step-title") == "第 0 步，共 5 步 backward() 开始"
    )
    assert page.find("#play").get_attribute("aria-label") == "播放（空格）"
    texts = json.loads((PAGE / "texts.json").read_text())
    page.click(".box.operation")
    shown = page.js("document.body.innerText")
    left = [text for key, text in texts["en"].items() if len(text) > 12 and text in shown and text != texts["zh"][key]]
    assert left == [] and texts["zh"]["details.derivative"] in shown
    page.click("#language")
    assert page.text("#counts").startswith("2 leaves")


@in_browser
def test_the_theme_follows_the_system_and_the_switch(page, path):
    ground = "getComputedStyle(document.body).backgroundColor"
    page.driver.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": "dark"}]}
    )
    page.open(article_graph(), path)
    assert page.state("theme") == "dark"
    dark = page.js(ground)
    page.press("t")
    assert page.state("theme") == "light" and page.js(ground) != dark
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    page.open(article_graph(), path)
    assert page.state("theme") == "light" and page.js(ground) != dark


@in_browser
def test_a_click_shows_the_explanation_the_derivative_and_the_source_line(page, path):
    _core._lens_start()
    try:
        w = torch.tensor([3.0], requires_grad=True)
        y = w * w  # the line that the page shows
    finally:
        _core._lens_stop()
    page.open(torch.graph(y), path)
    page.click(".box.operation")
    details = page.text("#details")
    assert "A non-leaf: the result of mul." in details
    assert "dL/da = g * b\ndL/db = g * a" in details
    assert "test_lens_page.py" in details and "y = w * w  # the line that the page shows" in details
    page.click(".box.leaf")
    assert "A leaf: made by the program" in page.text("#details")
    page.press(keys().ESCAPE)
    assert page.state("selected") is None and "at most 8 B" in page.text("#details")


@in_browser
def test_dragging_moves_the_drawing_and_chooses_nothing(page, path):
    from selenium.webdriver import ActionChains

    page.open(article_graph(), path)
    view = "document.querySelector('#canvas > .drawing').getAttribute('viewBox')"
    before = page.js(view)
    ActionChains(page.driver).click_and_hold(page.find("#n4")).move_by_offset(60, 30).release().perform()
    assert page.js(view) != before and page.state("selected") is None


# --- its limits, and what it must not do


@in_browser
def test_beyond_max_nodes_the_page_draws_the_nearest_and_says_so(page, path):
    model, loss = transformer()
    graph = torch.graph(loss, params=model, max_nodes=20)
    page.open(graph, path)
    counts = page.state("counts")
    assert counts["boxes"] == 20 and counts["hidden"] == graph.view().hidden > 0
    assert f"{counts['hidden']} of {len(graph.nodes)} nodes are not drawn" in page.text("#notice")
    assert page.play_in_steps()[-1] == as_shown(graph.backward_steps()[-1])


@in_browser
def test_beyond_the_players_limit_the_page_draws_and_says_so(page, path, monkeypatch):
    from leafgrad.lens import page as writer

    monkeypatch.setattr(writer, "MOST_STEPS", 4)
    page.open(article_graph(), path)
    assert page.state("bytes") is None and "too large for the player" in page.text("#notice")
    assert not page.find("#player").is_displayed() and len(page.all(".box")) == 5


@in_browser
def test_a_tensor_without_gradient_has_a_page_too(page, path):
    page.open(torch.graph(torch.ones(2)), path)
    assert page.state("counts")["constant"] == 1 and "would raise an error" in page.text("#step-title")


@in_browser
def test_the_page_loads_nothing_and_names_cannot_break_out_of_it(page, path):
    x = torch.ones(2, requires_grad=True)
    name = "</script><img src=x onerror=alert(1)>"
    page.open(torch.graph(x.exp(), params={name: x}), path)
    assert page.js("performance.getEntriesByType('resource').length") == 0
    page.click(".box.leaf")
    assert page.text("#details h2") == name and page.all("img") == []


def test_the_file_names_no_address_to_load_from(path):
    pytest.importorskip("igraph")
    article_graph().to_html(path)
    text = path.read_text().replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"https?:|//[a-z]|@import|\bsrc=|url\((?!#)", re.sub(r"// [^\n]*", "", text))


def test_every_text_is_there_in_both_languages_with_the_same_places():
    texts = json.loads((PAGE / "texts.json").read_text())
    places = [{key: set(re.findall(r"\{\w+\}", text)) for key, text in texts[one].items()} for one in ("en", "zh")]
    assert places[0] == places[1]
    parts = "".join(file.read_text() for file in PAGE.iterdir() if file.suffix in (".js", ".html"))
    used = set(re.findall(r'text\("([\w.]+)"|data-(?:text|title|label|hint)="([\w.]+)"', parts))
    assert {a or b for a, b in used} <= texts["en"].keys()
    # And none is left over: each key, or what a template makes of it, is named in a script or the template.
    prefixes = set(re.findall(r"`([\w.]+\.)\$\{", parts))
    unused = [key for key in texts["en"] if f'"{key}"' not in parts and not any(key.startswith(p) for p in prefixes)]
    assert unused == []


def test_texts_can_be_read_on_their_grounds_in_light_and_dark():
    """Contrast of at least 4.5, as the Web Content Accessibility Guidelines ask."""
    colours = {
        name: pair
        for name, *pair in re.findall(r"--([\w-]+): light-dark\((#\w+), (#\w+)\)", (PAGE / "colours.css").read_text())
    }

    def luminance(colour):
        parts = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
        red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    on = {
        "text": ["ground", "surface", "raised", "leaf", "leaf-full", "operation", "constant", "retained", "frame"],
        "muted": ["ground", "surface", "raised", "leaf", "operation", "constant", "retained"],
        "accent": ["surface"],
        "leaf-line": ["leaf", "surface"],
        "saved-text": ["saved"],
        "on-gradient": ["gradient"],
        "surface": ["leaf-line", "accent"],
        "retained-line": ["surface"],
    }
    for text, grounds in on.items():
        for ground in grounds:
            for theme in (0, 1):
                light, dark = sorted((luminance(colours[text][theme]), luminance(colours[ground][theme])), reverse=True)
                assert (light + 0.05) / (dark + 0.05) >= 4.5, (text, ground, theme)
