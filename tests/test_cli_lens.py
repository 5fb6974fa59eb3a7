"""The subcommands that look at a program or at the machine: explain, graph, memory, check, doctor."""

import json
import os
import pty
import re
import subprocess
import sys
import textwrap
from importlib.util import find_spec

import pytest

import leafgrad

pytestmark = pytest.mark.leafgrad_only

ARTICLE = """\
import torch
w = torch.tensor([1.], requires_grad=True)
x = torch.tensor([2.], requires_grad=True)
a = torch.add(w, x)
b = torch.add(w, 1)
y = torch.mul(a, b)
y.backward()
print("the program's own output")
"""

TRAIN = """\
import sys
import torch
from torch import nn

def main():
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
    optimizer = torch.optim.SGD({parameters}, lr=0.1)
    data = torch.ones(16, 4)
    for step in range(2):
        optimizer.zero_grad()
        loss = model(data).pow(2).mean()
        loss.backward()
        optimizer.step()
    return sys.argv[1:]

print(main())
"""


def leafgrad_command(*words, cwd=None):
    command = [sys.executable, "-m", "leafgrad", *map(str, words)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300)


@pytest.fixture
def program(tmp_path):
    """Writes a program; gives a function that runs a subcommand where it lies."""

    def write(source, name="program.py"):
        (tmp_path / name).write_text(textwrap.dedent(source))
        return lambda command, *words: leafgrad_command(command, name, *words, cwd=tmp_path)

    return write


def table(text, title):
    """The rows of a plain table, as dicts by its heads."""
    lines = text.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith(title))
    heads = [(match.start(), match[0]) for match in re.finditer(r"\S+(?: \S+)*", lines[start + 1])]
    rows = []
    for line in lines[start + 2 :]:
        if not line.startswith("  "):
            break
        ends = [place for place, _ in heads[1:]] + [None]
        rows.append({head: line[at:end].strip() for (at, head), end in zip(heads, ends, strict=True)})
    return rows


# --- explain ---------------------------------------------------------------------------------------------------------


def test_explain_prints_the_leaf_table_of_the_articles_program(program):
    result = program(ARTICLE)("explain")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith("the program's own output\n5 tensors, 2 leaves\n")
    rows = {row["name"]: row for row in table(result.stdout, "5 tensors")}
    assert {name: row["leaf"] for name, row in rows.items()} == {
        "w": "leaf",
        "x": "leaf",
        "a": "no",
        "b": "no",
        "y": "no",
    }
    assert {row["requires_grad"] for row in rows.values()} == {"yes"}
    assert rows["w"][".grad"] == "kept" and rows["a"][".grad"] == "None: not a leaf, freed"
    assert (rows["w"]["made by"], rows["y"]["made by"]) == ("user", "MulBackward0")
    assert [rows[name]["line"] for name in "wxaby"] == [f"program.py:{line}" for line in (2, 3, 4, 5, 6)]
    assert "a, b:\n  its .grad stays None. To read it call retain_grad() before backward." in result.stdout


def test_explain_tells_apart_why_a_grad_is_none(program):
    result = program("""
        import torch
        unused = torch.ones(1, requires_grad=True)
        data = torch.ones(1) + 1
        used = torch.ones(1, requires_grad=True)
        kept = used * 2
        kept.retain_grad()
        kept.backward()
        with torch.no_grad():
            outside = used * 3
        apart = used.detach()
        module = torch.nn.Linear(1, 1)
    """)("explain")
    rows = {row["name"]: row for row in table(result.stdout, "8 tensors")}
    assert rows["unused"][".grad"] == "None: no backward has reached it"
    assert rows["data"][".grad"] == "None: requires no grad"
    assert "\ndata" not in result.stdout  # there is nothing to advise
    assert "\noutside:\n  no gradient passes through it. Compute it outside of no_grad()" in result.stdout
    assert rows["kept"][".grad"] == "kept: retain_grad()"
    assert (rows["outside"]["made by"], rows["apart"]["made by"]) == ("under no_grad", "detach")
    assert rows["module.weight"]["made by"] == "parameter"


def test_explain_looks_into_a_function_and_at_one_tensor(program):
    run = program(TRAIN.format(parameters="model.parameters()"))
    result = run("explain", "--in", "main", "--of", "loss", "--of", "model[0].weight")
    assert result.returncode == 0, result.stderr
    assert "loss: float32 (), not a leaf" in result.stdout
    assert "model[0].weight: float32 (8, 4), a leaf" in result.stdout


def test_a_program_that_computes_in_functions_only_is_told_of_the_option(program):
    result = program(TRAIN.format(parameters="model.parameters()"))("explain")
    assert result.returncode == 0
    assert "has no tensor among its global names when it ends" in result.stdout and "with --in: main\n" in result.stdout


def test_the_programs_words_reach_it_and_ours_do_not(program):
    run = program(TRAIN.format(parameters="model.parameters()"))
    assert run("explain", "--epochs", "3", "--in", "main", "x.csv").stdout.startswith("['--epochs', '3', 'x.csv']\n")
    assert run("explain", "--in", "main", "--", "--of", "-h").stdout.startswith("['--of', '-h']\n")


def test_a_program_that_fails_shows_its_traceback_and_then_the_table(program):
    result = program("import torch\nw = torch.ones(2, requires_grad=True)\nw += 1\n")("explain")
    assert result.returncode == 1
    assert result.stderr.startswith("Traceback (most recent call last):\n") and "cli" not in result.stderr
    assert 'program.py", line 3' in result.stderr and "a leaf Variable that requires grad" in result.stderr
    assert [row["name"] for row in table(result.stdout, "1 tensor")] == ["w"]


@pytest.mark.parametrize(
    ("end", "status"), [("sys.exit(0)", 0), ("sys.exit(3)", 1), ("sys.exit('bad')", 1), ("x = (", 1)]
)
def test_how_the_program_ends_decides_the_exit_status(program, end, status):
    result = program(f"import sys, torch\nw = torch.ones(2)\n{end}\n")("explain")
    assert result.returncode == status
    assert ("bad" in result.stderr) == ("bad" in end) and ("SyntaxError" in result.stderr) == (end[-1] == "(")


# --- graph -----------------------------------------------------------------------------------------------------------


def test_graph_prints_the_tree_as_it_was_before_backward_freed_it(program):
    result = program(ARTICLE)("graph", "--of", "y")
    assert result.returncode == 0, result.stderr
    assert "graph of y: 2 leaves, 3 operations; 8 B saved for backward" in result.stdout
    assert "y = mul" in result.stdout and "w  float32 (1,); leaf" in result.stdout


def test_graph_finds_the_only_result_itself(program):
    assert "graph of y: 2 leaves" in program(ARTICLE)("graph").stdout
    assert (
        "graph of y: 1 leaf"
        in program("import torch\nw = torch.ones(1, requires_grad=True)\ny = w * w")("graph").stdout
    )


def test_graph_asks_which_one_where_there_are_several(program):
    result = program("import torch\nw = torch.ones(1, requires_grad=True)\ny, z = w * 2, w * 3")("graph")
    assert (result.returncode, result.stderr) == (2, "leafgrad: graph: say which tensor with --of: y, z\n")


@pytest.mark.parametrize(
    ("suffix", "begins"), [(".html", "<!doctype html>"), (".svg", "<svg"), (".dot", "digraph"), (".json", "{")]
)
def test_graph_writes_what_the_suffix_says(program, tmp_path, suffix, begins):
    if suffix in (".html", ".svg"):
        pytest.importorskip("igraph", reason="drawing needs the extra viz")
    result = program(TRAIN.format(parameters="model.parameters()"))(
        "graph", "--in", "main", "--of", "loss", "-o", f"g{suffix}"
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.endswith(f"wrote g{suffix}\n")
    text = (tmp_path / f"g{suffix}").read_text()
    assert text.lower().startswith(begins)
    if suffix == ".json":
        leaves = [node["outputs"][0]["name"] for node in json.loads(text)["nodes"] if node["kind"] == "leaf"]
        assert sorted(leaves) == ["model.0.bias", "model.0.weight", "model.2.bias", "model.2.weight"]


def test_the_graph_of_a_leaf_is_refused_in_one_line(program):
    result = program(ARTICLE)("graph", "--of", "w")
    assert (result.returncode, result.stderr) == (
        2,
        "leafgrad: graph: w is a leaf, and has no graph; explain says why\n",
    )


# --- memory ----------------------------------------------------------------------------------------------------------


def test_memory_counts_what_the_program_left(program):
    source = "import torch\nw = torch.ones(1024, requires_grad=True)\ny = w.exp()\nz = y.sum()\n"
    result = program(source)("memory")
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("trace of ") and "memory: 8.0 KiB live, 8.0 KiB at the peak" in result.stdout
    assert re.search(r"  leaves +4\.0 KiB +1 +4\.0 KiB\n", result.stdout)
    assert re.search(r"  saved for backward +4\.0 KiB +1 +4\.0 KiB\n", result.stdout)
    assert "program.py:3  y = w.exp()" in result.stdout


def test_memory_writes_a_page(program, tmp_path):
    result = program(ARTICLE)("memory", "-o", "memory.html")
    assert result.returncode == 0, result.stderr
    assert "<html" in (tmp_path / "memory.html").read_text() and result.stdout.endswith("wrote memory.html\n")


# --- check -----------------------------------------------------------------------------------------------------------


def test_check_is_content_with_a_sound_program(program):
    result = program(TRAIN.format(parameters="model.parameters()"))("check", "--in", "main")
    assert result.returncode == 0 and "check of Sequential, SGD, loss: nothing found" in result.stdout


def test_check_ends_with_status_1_where_something_will_not_be_learnt(program):
    result = program(TRAIN.format(parameters="model[0].parameters()"))("check", "--in", "main")
    assert result.returncode == 1
    assert "the optimizer does not step 2.weight, 2.bias" in result.stdout


def test_check_counts_notes_only_when_strict(program):
    source = """
        import torch
        model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 1))
        model[0].requires_grad_(False)
        optimizer = torch.optim.SGD(model[1].parameters(), lr=0.1)
    """
    run = program(source)
    assert run("check").returncode == 0 and "note" in run("check").stdout
    assert run("check", "--strict").returncode == 1


def test_check_joins_models_that_share_an_optimizer_and_optimizers_that_share_a_model(program):
    result = program("""
        import torch
        encoder, decoder, apart = torch.nn.Linear(2, 2), torch.nn.Linear(2, 1), torch.nn.Linear(3, 1)
        both = torch.optim.SGD([*encoder.parameters(), *decoder.parameters()], lr=0.1)
        first, second = torch.optim.SGD([apart.weight], lr=0.1), torch.optim.SGD([apart.bias], lr=0.2)
        inner = torch.nn.Sequential(encoder)
    """)("check")
    assert result.returncode == 0, result.stdout
    assert result.stdout.count("nothing found") == 2


def test_check_without_a_module_says_where_else_to_look(program):
    result = program("def build():\n    return 1\n" + ARTICLE)("check")
    message = "leafgrad: program.py has no module among its names. If it is in a function, name that with --in: build\n"
    assert (result.returncode, result.stderr) == (2, message)


# --- doctor ----------------------------------------------------------------------------------------------------------


def test_doctor_tells_versions_machine_and_extras():
    result = leafgrad_command("doctor")
    assert (result.returncode, result.stderr) == (0, "")
    facts = {row["what"]: row["is"] for row in table(result.stdout, "leafgrad doctor")}
    assert facts["leafgrad"].startswith(leafgrad.__version__) and facts["Python"].startswith(sys.version.split()[0])
    assert facts["kernels built for"].split()[0] in ("baseline", "avx2", "avx512", "amx")
    assert facts["threads"].startswith(str(leafgrad.get_num_threads())) and "own kernels" in facts["BLAS"]
    assert "bytes cached" in facts["allocator"]
    extras = {row["extra"]: row["is"] for row in table(result.stdout, "extras")}
    assert {"demo", "dev", "docs", "parity", "viz"} <= extras.keys()
    assert ("igraph" in extras["viz"]) == (find_spec("igraph") is None)


@pytest.mark.skipif(leafgrad._core._instruction_set() == "baseline", reason="there is no lesser instruction set here")
def test_doctor_shows_the_instruction_set_that_was_asked_for(monkeypatch):
    monkeypatch.setenv("LEAFGRAD_ISA", "baseline")
    facts = {row["what"]: row["is"] for row in table(leafgrad_command("doctor").stdout, "leafgrad doctor")}
    assert facts["kernels built for"] == "baseline (LEAFGRAD_ISA=baseline)"


# --- mistakes of the user --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["explain", "nowhere.py"], "can't open file 'nowhere.py': No such file or directory"),
        (["explain"], "explain: name a script, -c code, or - for standard input"),
        (["graph", "--of", "y"], "graph: name a script, -c code, or - for standard input"),
        (["explain", "-c", "import torch; loss = torch.ones(1)", "--of", "los"],
         "'los' is not in -c: name 'los' is not defined. Did you mean 'loss'?"),
        (["explain", "-c", "n = 3", "--of", "n"], "'n' in -c is a int, not a tensor"),
        (["explain", "-c", "n = 3", "--in", "main"], "-c did not call a function 'main' of its own"),
        (["graph", "-c", "n = 3", "-o", "graph.png"],
         "graph.png: give it one of the suffixes .html, .svg, .dot, .json, which says what is written"),
        (["memory", "-c", "n = 3", "-o", "no/such/memory.html"],
         "no/such/memory.html: there is no folder 'no/such'"),
        (["graph", "-c", "n = 3", "--max-nodes", "0"], "graph: --max-nodes is 0; it must be at least 1"),
        (["doctor", "strange"], "doctor: takes no 'strange'"),
    ],
)  # fmt: skip
def test_a_mistake_is_said_in_one_line_with_status_2(tmp_path, words, message):
    result = leafgrad_command(*words, cwd=tmp_path)
    assert (result.returncode, result.stderr) == (2, f"leafgrad: {message}\n")
    assert result.stdout == ""


def test_a_missing_extra_is_named_without_a_traceback(program, tmp_path):
    hide = "import sys, shutil\nsys.modules['igraph'] = None\nshutil.which = lambda *_: None\n"
    result = program(hide + ARTICLE)("graph", "--of", "y", "-o", "graph.html")
    assert result.returncode == 2 and "Traceback" not in result.stderr
    assert "leafgrad[viz]" in result.stderr and not (tmp_path / "graph.html").exists()


@pytest.mark.parametrize("command", ["explain", "graph", "memory", "check", "doctor"])
def test_help_has_examples_and_the_exit_status(command):
    result = leafgrad_command(command, "--help")
    assert result.returncode == 0
    assert f"python -m leafgrad {command}" in result.stdout and "exit status" in result.stdout


def test_the_main_help_lists_every_subcommand():
    text = leafgrad_command("--help").stdout
    assert all(f"    {command} " in text for command in ("run", "explain", "graph", "memory", "check", "doctor"))
    assert "exit status" in text


# --- in a terminal ---------------------------------------------------------------------------------------------------


def in_a_terminal(*words, cwd):
    """Output of a subcommand whose standard output is a terminal of 120 columns."""
    master, slave = pty.openpty()
    command = [sys.executable, "-m", "leafgrad", *words]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "120"}
    environment.pop("NO_COLOR", None)
    process = subprocess.Popen(command, cwd=cwd, stdout=slave, stderr=slave, env=environment)
    os.close(slave)
    parts = []
    try:
        while part := os.read(master, 65536):
            parts.append(part)
    except OSError:  # Linux's way to say that the other end is closed
        assert process.wait(timeout=60) == 0
    os.close(master)
    return b"".join(parts).decode()


def test_tables_are_rich_in_a_terminal_and_plain_in_a_pipe(program, tmp_path):
    pytest.importorskip("rich", reason="needs the extra viz")
    run = program(ARTICLE)
    assert "\x1b[" in in_a_terminal("explain", "program.py", cwd=tmp_path)
    assert "\x1b[" not in run("explain").stdout


def test_tables_are_plain_in_a_terminal_without_rich(program, tmp_path):
    program("import sys\nsys.modules['rich'] = None\nsys.modules['rich.box'] = None\n" + ARTICLE)
    text = in_a_terminal("explain", "program.py", cwd=tmp_path)
    assert "\x1b[" not in text and "5 tensors, 2 leaves" in text
