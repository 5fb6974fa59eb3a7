"""What the documents say is so: programs print what stands beside them, links lead to files, examples run."""

import ast
import contextlib
import doctest
import importlib
import io
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import leafgrad
from tools import guide

pytestmark = pytest.mark.leafgrad_only

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "benchmarks").glob("*.md")])
GUIDE = ROOT / "docs" / "guide"
GUIDE_PAGES = sorted(page.name for page in (GUIDE / "en").glob("*.md"))
READMES = ROOT / "README.md", ROOT / "README.zh-CN.md"


def program_of(readme):
    return re.search(r"```python\n(.*?)```", readme.read_text(), re.DOTALL).group(1)


def test_the_readmes_program_prints_the_comments_beside_it():
    program = program_of(READMES[0])
    promised = re.findall(r"^print.*?# (.*)$", program, re.MULTILINE)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(program, {"torch": leafgrad})
    assert len(promised) == 3 and printed.getvalue().splitlines() == promised


@pytest.mark.parametrize("readme", READMES, ids=lambda page: page.name)
def test_the_readmes_command_prints_what_they_show(readme):
    words, shown = re.search(r"```console\n\$ python (.*?)\n(.*?)```", readme.read_text(), re.DOTALL).groups()
    result = subprocess.run([sys.executable, *words.split()], cwd=ROOT, capture_output=True, text=True)
    assert (result.returncode, result.stdout) == (0, shown)


def test_both_readmes_show_the_same_program_and_links():
    def links(page):
        found = re.findall(r"\]\((?!README)([^)]+)\)", page.read_text())
        return sorted({link.replace("guide/zh/", "guide/en/") for link in found})

    assert program_of(READMES[0]) == program_of(READMES[1]) and links(READMES[0]) == links(READMES[1])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files(page):
    prose = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", prose):
        assert (page.parent / target).exists(), target


def test_the_design_index_lists_every_page():
    folder = ROOT / "docs" / "design"
    listed = set(re.findall(r"\]\((\w+\.md)\)", (folder / "README.md").read_text()))
    assert listed == {page.name for page in folder.glob("*.md")} - {"README.md"}


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("name", GUIDE_PAGES)
def test_every_block_of_the_guide_prints_what_the_page_shows(language, name):
    command = [sys.executable, "tools/guide.py", "--check", GUIDE / language / name]  # a process: memory is counted
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("name", GUIDE_PAGES)
def test_both_languages_of_the_guide_have_the_same_code(name):
    def code(language):  # as Python reads it: remarks are in the language of the page
        found = guide.blocks(GUIDE / language / name)
        return [(block.file, ast.dump(ast.parse(block.code)), block.shown.split()) for block in found]

    assert code("en") == code("zh")
    assert bool(code("en")) == (name != "README.md")


def test_the_guide_has_the_same_pages_in_both_languages():
    assert [page.name for page in sorted((GUIDE / "zh").glob("*.md"))] == GUIDE_PAGES


def test_a_block_that_prints_something_else_is_found(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("```python\nprint(1)\n```\n\n```text\n2\n```\n")
    result = subprocess.run(
        [sys.executable, "tools/guide.py", "--check", page], cwd=ROOT, capture_output=True, text=True
    )
    assert result.returncode == 1 and "but prints\n1" in result.stderr


MODULES = [
    module.name for module in pkgutil.walk_packages(leafgrad.__path__, "leafgrad.") if "__main__" not in module.name
]


# Examples are a user's program, whose names the lens looks for: their module is not one of leafgrad.
EXAMPLES = {"leafgrad": leafgrad, "torch": leafgrad, "__name__": "__main__"}


@pytest.mark.parametrize("name", ["leafgrad", *MODULES])
def test_the_examples_in_docstrings_run(name):
    result = doctest.testmod(importlib.import_module(name), extraglobs=EXAMPLES)
    assert result.failed == 0
