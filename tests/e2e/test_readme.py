"""The README: its commands exist, its sweep files load, its links lead somewhere."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer.main

from tlsearch.cli import app
from tlsearch.config.loading import load

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"(?:^|[\s`/])tlsearch ([a-z]+\b[^`\n]*)")


def _commands():
    """Every `tlsearch ...` in code, without the remark after it."""
    code = [text for _, text in BLOCKS]
    code += re.findall(r"^    (.+)$", README, re.MULTILINE)
    code += re.findall(r"`(tlsearch [^`]+)`", README)
    lines = [line.partition(" #")[0] for text in code for line in text.splitlines()]
    return sorted({found.group(1).strip() for line in lines if (found := COMMAND.search(line))})


def _shell_blocks():
    return [text for language, text in BLOCKS if language == "sh"]


@pytest.mark.parametrize("command", _commands())
def test_every_command_parses(command):
    name, *arguments = shlex.split(command)
    commands = typer.main.get_command(app).commands
    assert name in commands
    parser = commands[name]
    wanted = [one for one in parser.params if one.required and one.param_type_name == "argument"]
    if arguments or not wanted:
        parser.make_context(name, arguments)


@pytest.mark.parametrize("name", sorted(set(re.findall(r"sweeps/[\w.-]+\.yaml", README))))
def test_every_sweep_file_loads(name):
    assert load(ROOT / name).name == Path(name).stem


@pytest.mark.parametrize(
    "text", [text for language, text in BLOCKS if language == "yaml"], ids=lambda text: text[:20]
)
def test_every_sweep_that_is_shown_loads(tmp_path, text):
    (tmp_path / "shown.yaml").write_text(text, encoding="utf-8")
    load(tmp_path / "shown.yaml")


@pytest.mark.parametrize(
    "link", sorted(set(re.findall(r"\]\((?!https?:|#)([^)#]+)", README))), ids=str
)
def test_every_link_leads_somewhere(link):
    assert (ROOT / link).exists()


def test_the_first_two_blocks_are_what_ci_runs():
    first, second = _shell_blocks()[:2]
    assert "tlsearch run sweeps/quickstart.yaml" in first
    assert "pytest" in second
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert "readme_command 1 | sh" in script
    assert "readme_command 2 | sh" in script


def test_the_python_that_is_shown_is_the_public_door():
    import tlsearch

    (code,) = [text for language, text in BLOCKS if language == "python"]
    compile(code, "README.md", "exec")
    used = set(re.findall(r"tlsearch\.(\w+)", code))
    assert used <= set(tlsearch.__all__)
