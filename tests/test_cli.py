"""The command line: ``python -m leafgrad run`` behaves as ``python`` does, and torch means leafgrad."""

import subprocess
import sys
import textwrap
import zipfile

import pytest

import leafgrad

pytestmark = pytest.mark.leafgrad_only


def python(*words, cwd=None, stdin=None):
    return subprocess.run(
        [sys.executable, *map(str, words)], cwd=cwd, input=stdin, capture_output=True, text=True, timeout=120
    )


def run(*words, **options):
    return python("-m", "leafgrad", "run", *words, **options)


@pytest.fixture
def script(tmp_path):
    """Writes a program into the test's own directory."""

    def write(source, name="program.py"):
        path = tmp_path / name
        path.write_text(textwrap.dedent(source))
        return path

    return write


# --- the program sees what Python would show it ----------------------------------------------------------------------

SHOW_START = """\
import os, sys
print(sys.argv, os.path.abspath(sys.path[0] or "."), __name__, sorted(set(globals()) & {"__file__", "__builtins__"}))
print(sys.modules["__main__"].__dict__ is globals())
"""


def test_a_script_starts_as_under_python(script):
    path = script(SHOW_START)
    words = (path.name, "--flag", "-h", "--", "-m", "x y")
    ours, theirs = run(*words, cwd=path.parent), python(*words, cwd=path.parent)
    assert ours.returncode == 0 and ours.stdout == theirs.stdout
    assert ours.stdout.startswith("['program.py', '--flag', '-h', '--', '-m', 'x y']")


def test_a_script_in_another_directory_imports_its_neighbours(script, tmp_path):
    script("answer = 42", "neighbour.py")
    path = script("import neighbour; print(neighbour.answer)")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    assert run(path, cwd=elsewhere).stdout == "42\n"


def test_code_starts_as_under_python(tmp_path):
    words = ("-c", SHOW_START, "--flag")
    assert run(*words, cwd=tmp_path).stdout == python(*words, cwd=tmp_path).stdout


def test_standard_input_starts_as_under_python(tmp_path):
    words = ("-", "--flag")
    ours = run(*words, cwd=tmp_path, stdin=SHOW_START)
    assert ours.returncode == 0 and ours.stdout == python(*words, cwd=tmp_path, stdin=SHOW_START).stdout


def test_a_module_starts_as_under_python(script):
    cwd = script(SHOW_START).parent
    ours, theirs = run("-m", "program", "--flag", cwd=cwd), python("-m", "program", "--flag", cwd=cwd)
    assert ours.returncode == 0 and ours.stdout.splitlines()[0] == theirs.stdout.splitlines()[0]


@pytest.mark.parametrize("kind", ["directory", "zip"])
def test_a_directory_or_archive_runs_its_main_module(tmp_path, kind):
    program = tmp_path / ("program" if kind == "directory" else "program.zip")
    if kind == "directory":
        program.mkdir()
        (program / "__main__.py").write_text("import torch; print(__name__)")
    else:
        with zipfile.ZipFile(program, "w") as archive:
            archive.writestr("__main__.py", "import torch; print(__name__)")
    assert run(program).stdout == "__main__\n"


def test_an_exit_handler_still_finds_the_program_as_main(script):
    path = script("import atexit, sys; value = 3; atexit.register(lambda: print(sys.modules['__main__'].value))")
    assert run(path).stdout == "3\n"


# --- how a program ends ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["pass", "raise SystemExit", "sys.exit(7)", "sys.exit('bad')", "os._exit(3)"])
def test_the_exit_status_is_the_programs(script, end):
    path = script(f"import os, sys\n{end}")
    ours, theirs = run(path), python(path)
    assert (ours.returncode, ours.stderr) == (theirs.returncode, theirs.stderr)


@pytest.mark.parametrize(
    "source",
    [
        "def f():\n    return 1 / 0\nf()",
        "try:\n    1 / 0\nexcept ZeroDivisionError as error:\n    raise ValueError('next') from error",
        "raise KeyboardInterrupt",
        "x = (",
        "import nowhere_to_be_found",
        "import sys\nsys.excepthook = lambda kind, error, tb: print(kind, tb.tb_frame.f_code.co_name)\n1 / 0",
    ],
)
def test_a_traceback_shows_the_program_only(script, source):
    path = script(source)
    ours, theirs = run(path), python(path)
    assert (ours.returncode, ours.stdout, ours.stderr) == (theirs.returncode, theirs.stdout, theirs.stderr)


def test_a_traceback_out_of_a_module_starts_in_it(script):
    cwd = script("def f():\n    return 1 / 0\nf()").parent
    lines = run("-m", "program", cwd=cwd).stderr.splitlines()
    assert lines[0] == "Traceback (most recent call last):" and "program.py" in lines[1] and "runpy" not in str(lines)


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (["nowhere.py"], 2, "leafgrad: can't open file 'nowhere.py': No such file or directory\n"),
        (["."], 1, "leafgrad: can't find '__main__' module in '.'\n"),
        (["-m", "nowhere"], 1, "leafgrad: No module named nowhere\n"),
        ([], 2, "leafgrad: run: name a script, -m module, -c code, or - for standard input\n"),
        (["-x"], 2, "leafgrad: run: name a script, -m module, -c code, or - for standard input\n"),
    ],
)
def test_what_cannot_be_run_is_said_in_one_line(tmp_path, words, status, message):
    result = run(*words, cwd=tmp_path)
    assert (result.returncode, result.stdout, result.stderr) == (status, "", message)


def test_an_import_error_inside_a_module_keeps_its_traceback(script):
    cwd = script("import nowhere").parent
    error = run("-m", "program", cwd=cwd).stderr
    assert 'program.py", line 1' in error and "No module named 'nowhere'" in error


# --- torch means leafgrad --------------------------------------------------------------------------------------------


def test_torch_is_leafgrad_and_not_a_copy(script):
    path = script("""
        import torch
        import leafgrad, sys
        assert torch is leafgrad and sys.modules["torch"] is leafgrad
        assert torch.__spec__.name == "leafgrad" and torch.__name__ == "leafgrad"
        import torch.cli as a, leafgrad.cli as b
        from torch import cli as c
        assert a is b and b is c and torch.cli is a and a.__spec__.name == "leafgrad.cli"
    """)
    result = run(path)
    assert (result.returncode, result.stderr) == (0, "")


def test_a_missing_submodule_says_that_leafgrad_has_none():
    result = run("-c", "import torch.nowhere.deep")
    assert result.returncode == 1
    assert "ModuleNotFoundError: No module named 'torch.nowhere" in result.stderr
    assert "it is not in leafgrad" in result.stderr


def test_without_run_torch_is_not_touched():
    code = (
        "import sys, leafgrad; print('torch' in sys.modules, any('Torch' in type(f).__name__ for f in sys.meta_path))"
    )
    assert python("-c", code).stdout == "False False\n"


def test_install_as_torch_twice_is_the_same_as_once():
    code = (
        "import sys, leafgrad as l; l.install_as_torch(); n = len(sys.meta_path); l.install_as_torch(); import torch; "
    )
    assert python("-c", code + "print(len(sys.meta_path) == n, torch is l)").stdout == "True True\n"


def test_install_as_torch_refuses_where_pytorch_is_imported_already():
    code = "import sys, types, leafgrad; sys.modules['torch'] = types.ModuleType('torch'); leafgrad.install_as_torch()"
    assert "RuntimeError: install_as_torch: PyTorch is imported already" in python("-c", code).stderr


# --- the rest --------------------------------------------------------------------------------------------------------


def test_version_is_the_packages():
    result = python("-m", "leafgrad", "--version")
    assert (result.returncode, result.stdout) == (0, f"leafgrad {leafgrad.__version__}\n")


@pytest.mark.parametrize("words", [["--help"], ["run", "--help"]])
def test_help_shows_how_to_run_a_program(words):
    result = python("-m", "leafgrad", *words)
    assert (result.returncode == 0 and "script.py" in result.stdout) or "train.py" in result.stdout


def test_importing_leafgrad_does_not_import_the_command_line():
    code = "import sys, leafgrad; print('argparse' in sys.modules, 'leafgrad.cli' in sys.modules)"
    assert python("-c", code).stdout == "False False\n"
