"""The public door: what `import tlsearch` shows, and that everything public says what it is."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import subprocess
import sys

import pytest

import serving
import tlsearch

HEAVY = ("tensorflow", "keras", "mlflow", "optuna", "pandas", "matplotlib", "onnx", "sklearn")
UNGUARDED = {"tlsearch.__main__"}
"""Importing it runs the command."""

OBVIOUS = {
    "main",
    "top",
    "tlsearch.backbones.blocks",  # a function for each family of networks, named after it
    "Conditional",
    "Range",
    "EarlyStopping",
    "OnFailure",
    "Metrics",
    "make_params",
    "make_tags",
    "trainable_parameters",
}
"""What its name, or the comment beside it, says already."""


def _modules():
    for package in (tlsearch, serving):
        yield package.__name__
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if found.name not in UNGUARDED:
                yield found.name


def test_the_door_shows_what_it_says():
    assert tlsearch.__all__ == sorted(tlsearch.__all__)
    assert {"Sweep", "SweepResult", "TlsearchError", "load", "run"} < set(tlsearch.__all__)
    for name in tlsearch.__all__:
        assert getattr(tlsearch, name) is not None
    for name in serving.__all__:
        assert getattr(serving, name) is not None


def test_nothing_else_is_public():
    public = {
        name
        for name, value in vars(tlsearch).items()
        if not name.startswith("_") and not inspect.ismodule(value)
    }
    assert public - {"annotations", "TYPE_CHECKING", "Any"} <= set(tlsearch.__all__)
    with pytest.raises(AttributeError, match="no attribute 'fit'"):
        _ = tlsearch.fit


@pytest.mark.parametrize("code", ["import tlsearch", "import serving", "import tlsearch.cli"])
def test_the_import_is_light(code):
    show = f"{code}; import sys; print([m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", show], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "[]\n"), done.stderr


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], ["run", "--help"], ["schema"], ["backbones", "--json"]]
)
def test_light_commands_load_nothing_heavy(arguments):
    show = f"""
import sys
from tlsearch.cli import main
sys.argv = ["tlsearch", *{arguments}]
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
print([m for m in {HEAVY} if m in sys.modules], file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", show], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "[]\n")
    assert done.stdout


@pytest.mark.parametrize("name", sorted(_modules()))
def test_everything_public_is_documented(name):
    module = importlib.import_module(name)
    assert module.__doc__, name
    silent = [what for what, value in vars(module).items() if _lacks_words(name, what, value)]
    assert silent == []


def _lacks_words(module, name, value):
    """Whether it is public, defined in this module, and neither documented nor obvious."""
    public = not name.startswith("_") and "[" not in name and name not in OBVIOUS
    is_own = getattr(value, "__module__", None) == module and module not in OBVIOUS
    return public and is_own and callable(value) and not value.__doc__


def test_the_version_is_that_of_the_package():
    from importlib.metadata import version

    assert tlsearch.__version__ == version("tlsearch")
