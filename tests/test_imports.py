"""One direction: nothing on the left of the way of the data imports from the right."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOUNDATION = {
    "amounts",
    "causes",
    "cores",
    "disk",
    "errors",
    "files",
    "output",
    "paths",
    "progress",
    "redaction",
}
MAY_IMPORT = {
    "config": {"backbones.table"},
    "augmentation": {"config"},
    "data": {"config"},
    "backbones": {"config"},
    "execution": set(),
    "report": set(),
    "store": set(),
    "tracking": {"config", "execution.devices", "export.checksums", "export.golden"},
    "training": {"config", "data", "augmentation", "backbones", "execution", "store"},
    "export": {"config", "data", "backbones", "execution", "report", "training"},
    "pretraining": {
        "config",
        "data",
        "augmentation",
        "backbones",
        "execution",
        "tracking",
        "training",
    },
    "search": {
        "config",
        "data",
        "augmentation",
        "backbones",
        "execution",
        "report",
        "tracking",
        "training",
        "export",
        "store",
    },
    "terminal": {
        "config",
        "data.folders",
        "backbones",
        "execution",
        "export.triton",
        "pretraining",
        "search",
        "serving",
        "store",
        "tracking",
    },
    "serving": {
        "data.photo",
        "export.manifest",
        "export.checksums",
        "export.golden",
        "store.locks",
    },
}
"""For each room what it may import: rooms, or single modules of them; beside the foundation."""


def _imports(file: Path):
    """What a file imports of ours when it runs, as dotted names below `tlsearch`.

    What stands under `if TYPE_CHECKING:` is for readers and does not run.
    """
    for node in _running(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [node.module]
            if node.module in ("tlsearch", "serving"):
                names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        yield from (name for name in names if name.split(".")[0] in ("tlsearch", "serving"))


def _running(node):
    for child in ast.iter_child_nodes(node):
        is_check = isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING"
        if not is_check:
            yield child
            yield from _running(child)


def _room(file: Path) -> str:
    parts = file.relative_to(ROOT).parts
    return parts[0] if parts[0] == "serving" else parts[1]


FILES = sorted([*(ROOT / "tlsearch").glob("*/**/*.py"), *(ROOT / "serving").rglob("*.py")])


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_the_way_of_the_data_is_kept(file):
    room = _room(file)
    allowed = MAY_IMPORT[room] | {room} | FOUNDATION
    for name in _imports(file):
        below = name.removeprefix("tlsearch.")
        if not any(below == one or below.startswith(f"{one}.") for one in allowed):
            pytest.fail(f"{file.relative_to(ROOT)} imports {name}")


def test_every_room_has_its_rule():
    assert {_room(file) for file in FILES} == set(MAY_IMPORT)


def test_no_rule_runs_in_a_circle():
    """Between whole rooms; the table of backbones is data that the config checks names with."""
    rooms = {
        room: {one for one in allowed if one in MAY_IMPORT} for room, allowed in MAY_IMPORT.items()
    }
    while rooms:
        free = [room for room, needs in rooms.items() if not needs & rooms.keys()]
        assert free, f"a circle among {sorted(rooms)}"
        for room in free:
            del rooms[room]
