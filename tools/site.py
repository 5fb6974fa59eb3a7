"""What MkDocs cannot know by itself: pages that stand elsewhere in the repository, and the reference.

`mkdocs.yml` names this file as its hook.  The site is the folder ``docs/`` and three kinds of pages beside it:

- documents that have their place elsewhere in the repository (`ELSEWHERE`), with their links put right;
- a reference page for each public package (`PACKAGES`), which mkdocstrings fills from docstrings;
- the operators and the methods of Tensor, from the stub of the compiled core (`_core.pyi`).

Examples in docstrings (``>>> ...``) are set as code.

Nothing is imported or built for it: all of it is read from the sources.  See docs/design/site.md.
"""

from __future__ import annotations

import ast
import json
import posixpath
import re
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from markdown.extensions import Extension
from markdown.preprocessors import Preprocessor
from mkdocs.structure.files import File

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from markdown import Markdown
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
SOURCES = ROOT / "src" / "leafgrad"

# Documents outside docs/: where they stand in the repository, and on the site.
ELSEWHERE = {
    "README.md": "index.md",
    "README.zh-CN.md": "zh.md",
    "CONTRIBUTING.md": "CONTRIBUTING.md",
    "CHANGELOG.md": "CHANGELOG.md",
    "LICENSE": "LICENSE.txt",
    "benchmarks/results.md": "benchmarks/results.md",
    **{path.relative_to(ROOT).as_posix(): f"examples/{path.name}.txt" for path in (ROOT / "examples").glob("*.py")},
}

# Reference pages of packages, and what the index says of each.
PACKAGES = {
    "autograd": "running the graph backward, switching its recording, functions with their own derivative",
    "nn": "layers, containers and losses; `nn.functional`, `nn.init`, `nn.utils`",
    "optim": "methods that improve parameters by their gradients",
    "lens": "the leaf lens: `explain`, `graph`, `memory`, `trace`, `watch`, `check`",
    "utils": "hooks, checkpointing, DLPack",
}

_CHINESE = "\u3000-\u303f\u4e00-\u9fff\uff00-\uffef"  # characters and punctuation

# Base classes in private modules whose members a reader looks for in the public class.
INHERITED = {"leafgrad.nn.module": ["leafgrad.nn._state.StateMixin"]}


# --- what MkDocs calls -----------------------------------------------------------------------------------------------


def on_config(config: MkDocsConfig) -> None:
    """Fill the parts of the navigation that follow from the sources, and let examples be code."""
    config.markdown_extensions.append(_ExamplesAsCode())
    for entry in config.nav or []:
        if "Reference" in entry:
            entry["Reference"] = [f"api/{name}" for name in _reference()]
        elif "Design" in entry:
            index = (ROOT / "docs" / "design" / "README.md").read_text()
            entry["Design"] = [
                "design/README.md",
                *(f"design/{name}" for name in re.findall(r"\]\((\w+\.md)\)", index)),
            ]


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that do not stand in docs/."""
    for source, page in ELSEWHERE.items():
        files.append(File.generated(config, page, content=(ROOT / source).read_text()))
    for name, write in _reference().items():
        files.append(File.generated(config, f"api/{name}", content=write()))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn links as they hold in the repository into links as they hold on the site, and join Chinese lines.

    A line end between two Chinese characters would be shown as a space. Code stays as it is.
    """
    pages = {page: source for source, page in ELSEWHERE.items()}
    here = pages.get(page.file.src_uri, f"docs/{page.file.src_uri}")

    def moved(match: re.Match[str]) -> str:
        target, anchor = match[1], match[2] or ""
        place = posixpath.normpath(posixpath.join(posixpath.dirname(here), target))
        page_at = ELSEWHERE.get(place, place.removeprefix("docs/"))
        return f"]({posixpath.relpath(page_at, posixpath.dirname(page.file.src_uri) or '.')}{anchor})"

    parts = re.split(r"(```.*?```|`[^`\n]*`)", markdown, flags=re.DOTALL)
    prose = [re.sub(rf"(?<=[{_CHINESE}])\n(?=[{_CHINESE}])", "", part) for part in parts[::2]]
    parts[::2] = [re.sub(r"\]\((?!\w+:|#)([^)#\s]+)(#[^)]*)?\)", moved, part) for part in prose]
    return "".join(parts)


class _ExamplesAsCode(Extension):
    """Puts fences around doctests, which Markdown would read as quotations."""

    def extendMarkdown(self, md: Markdown) -> None:
        before_fences = 28  # between Markdown's "normalize_whitespace" (30) and what reads fences (25)
        md.preprocessors.register(_Fences(md), "examples_as_code", before_fences)


class _Fences(Preprocessor):
    def run(self, lines: list[str]) -> list[str]:
        result: list[str] = []
        fenced = example = False
        for line in [*lines, ""]:
            if line.lstrip().startswith("```"):
                fenced = not fenced
            elif line.startswith(">>> ") and not fenced and not example:
                example = True
                result.append("```pycon")
            elif example and not line.strip():
                example = False
                result.append("```")
            result.append(line)
        return result


# --- the reference ---------------------------------------------------------------------------------------------------


def _reference() -> dict[str, Callable[[], str]]:
    """Pages in the order of the navigation: file name, and what writes its text."""
    pages: dict[str, Callable[[], str]] = {"README.md": _index, "operators.md": _operators, "tensor.md": _tensor}
    for package in PACKAGES:
        pages[f"{package}.md"] = partial(_package, package)
    return pages


def _index() -> str:
    rows = [f"| [leafgrad.{name}]({name}.md) | {text} |" for name, text in PACKAGES.items()]
    return "\n".join(
        (
            "# Reference\n",
            "Written from the docstrings of the sources, and the one line of documentation that each operator has.\n",
            "| page | what it has |",
            "| --- | --- |",
            "| [Operators](operators.md) | the functions of `leafgrad` |",
            "| [Tensor](tensor.md) | methods and properties that are not operators |",
            *rows,
        )
    )


def _package(name: str) -> str:
    """A page for a package: what it has from private modules, then a section for each of its public modules."""
    folder = SOURCES / name
    sections = [f"# leafgrad.{name}", _doc(folder / "__init__.py")]
    if members := _from_private_modules(folder / "__init__.py"):
        sections.append(_directive(f"leafgrad.{name}", members=members, show_docstring_description=False))
    for module in _modules(folder):
        dotted = ".".join(module.relative_to(SOURCES.parent).with_suffix("").parts)
        sections += [f"## {dotted.removeprefix('leafgrad.')}", _directive(dotted)]
        sections += [_directive(base, show_root_heading=True) for base in INHERITED.get(dotted, [])]
        if operators := sorted(_exported(_tree(module)) & _operator_names() - _defined_in(module.parent)):
            links = ", ".join(f"[{operator}](operators.md#{operator})" for operator in operators)
            sections.append(f"Operators of the core that are found here, too: {links}.")
    return "\n\n".join(sections) + "\n"


def _directive(dotted: str, **options: object) -> str:
    """What mkdocstrings replaces by the documentation of `dotted`."""
    options = {"show_root_heading": False, "show_root_toc_entry": False, **options}
    return f"::: {dotted}\n    options: {json.dumps(options)}"


def _modules(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.is_dir() and (path / "__init__.py").exists() and folder.name != "lens":
            yield from _modules(path)
        elif path.suffix == ".py" and not path.name.startswith("_") and (folder.name != "lens" or path.stem in _lens()):
            yield path


@cache
def _lens() -> set[str]:
    """The modules of the lens that give `leafgrad` a name; the others are its inside."""
    for node in _tree(SOURCES / "__init__.py").body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "_LENS":
            return {"trace", *ast.literal_eval(node.value).values()}
    raise LookupError("leafgrad/__init__.py has no table _LENS of what the lens gives")


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def _from_private_modules(path: Path) -> list[str]:
    """Public names that a package's ``__init__`` takes from a private module of its own."""
    imports = [node for node in _tree(path).body if isinstance(node, ast.ImportFrom)]
    private = [node for node in imports if node.level == 1 and (node.module or "").startswith("_")]
    return [alias.name for node in private for alias in node.names if not alias.name.startswith("_")]


def _defined_in(folder: Path) -> set[str]:
    trees = map(_tree, folder.glob("*.py"))
    return {node.name for tree in trees for node in tree.body if isinstance(node, ast.FunctionDef)}


def _operator_names() -> set[str]:
    return {node.name for node in _tree(SOURCES / "_core.pyi").body if isinstance(node, ast.FunctionDef)}


def _doc(path: Path) -> str:
    return ast.get_docstring(_tree(path)) or ""


def _operators() -> str:
    """Every function of leafgrad: the operators of the core, and those written in Python."""
    functions: dict[str, list[ast.FunctionDef]] = {}
    for path in [SOURCES / "_core.pyi", *sorted(SOURCES.glob("_*.py"))]:
        tree = _tree(path)
        exported = _exported(tree)
        for node in tree.body:
            if isinstance(node, ast.FunctionDef) and (path.suffix == ".pyi" or node.name in exported):
                functions.setdefault(node.name, []).append(node)
    intro = (
        "# Operators\n\nThe functions of `leafgrad`. Most are methods of a tensor as well: `leafgrad.exp(x)` and "
        "`x.exp()`. A name that ends in an underscore writes its result into its first argument.\n"
    )
    return intro + "".join(_entries(functions))


def _tensor() -> str:
    """The methods and properties of Tensor that are not operators."""
    classes = _tree(SOURCES / "_core.pyi").body
    tensor = next(node for node in classes if isinstance(node, ast.ClassDef) and node.name == "Tensor")
    members: dict[str, list[ast.FunctionDef]] = {}
    for node in tensor.body:
        if isinstance(node, ast.FunctionDef) and node.name not in _operator_names():
            members.setdefault(node.name, []).append(node)
    intro = (
        f"# Tensor\n\n{ast.get_docstring(tensor) or ''}\n\n"
        "Methods and properties. Most [operators](operators.md) are methods as well and are described there.\n"
    )
    return intro + "".join(_entries(members))


def _exported(tree: ast.Module) -> set[str]:
    """The names that a module lists in ``__all__``, as far as they are written out there."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return {item.value for item in ast.walk(node.value) if isinstance(item, ast.Constant)}
    return set()


def _entries(functions: dict[str, list[ast.FunctionDef]]) -> Iterator[str]:
    """An entry for each public name; a form in place has its line under the name without the underscore."""
    for name in sorted(functions):
        if name.startswith("_") or (name.endswith("_") and name[:-1] in functions):
            continue
        forms = functions[name] + functions.get(name + "_", [])
        signatures = "\n".join(dict.fromkeys(map(_signature, forms)))
        doc = next(filter(None, map(ast.get_docstring, forms)), "")
        yield f"\n## {name}\n\n```python\n{signatures}\n```\n\n{doc}\n"


def _signature(node: ast.FunctionDef) -> str:
    if any(isinstance(decorator, ast.Name) and decorator.id == "property" for decorator in node.decorator_list):
        return f"{node.name}: {ast.unparse(node.returns) if node.returns else 'Any'}"
    arguments = ast.unparse(node.args)
    result = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    text = f"{node.name}({arguments.removeprefix('self, ').removeprefix('self')}){result}"
    return re.sub(r"\b_(bool|int|float|complex|dtype|device|ndarray)\b", r"\1", text)
