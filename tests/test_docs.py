"""What the documents say is so: programs print what stands beside them, links lead to files, examples run."""

import contextlib
import doctest
import importlib
import io
import pkgutil
import re
from pathlib import Path

import pytest

import leafgrad

pytestmark = pytest.mark.leafgrad_only

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "benchmarks").glob("*.md")])
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


def test_both_readmes_show_the_same_program_and_links():
    def links(page):
        return sorted(set(re.findall(r"\]\((?!README)([^)]+)\)", page.read_text())))

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


MODULES = [
    module.name for module in pkgutil.walk_packages(leafgrad.__path__, "leafgrad.") if "__main__" not in module.name
]


@pytest.mark.parametrize("name", ["leafgrad", *MODULES])
def test_the_examples_in_docstrings_run(name):
    result = doctest.testmod(importlib.import_module(name), extraglobs={"leafgrad": leafgrad, "torch": leafgrad})
    assert result.failed == 0
