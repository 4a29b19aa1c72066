"""A sweep file or a recipe, with overrides and the environment over it, as a valid model."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML

from tlsearch.config.augment_check import check_augmentation
from tlsearch.config.backbone_check import check_backbones
from tlsearch.config.condition_check import check_conditions
from tlsearch.config.credential_check import check_credentials
from tlsearch.config.document import Document, Mistake, Spot
from tlsearch.config.enqueue_check import check_enqueued
from tlsearch.config.kind import RECIPE, SWEEP, Kind, check_kind, no_mapping
from tlsearch.config.mistakes import explain
from tlsearch.config.overrides import apply_overrides, apply_values
from tlsearch.config.places import apply_environment, resolve_paths
from tlsearch.config.pretraining import Pretraining, without_effect
from tlsearch.config.recipe_check import check_photos, check_recipe
from tlsearch.config.schema import Sweep
from tlsearch.config.suggestion import nearest
from tlsearch.config.yaml import parse
from tlsearch.errors import SweepFileError
from tlsearch.redaction import redact_values

Model = TypeVar("Model", bound=BaseModel)


def load(path: str | Path, overrides: Sequence[str] = (), **values: Any) -> Sweep:
    """Read a sweep file.

    An override wins over the environment (`MLFLOW_TRACKING_URI`, `TLSEARCH_STORAGE`), that over the
    file, the file over the defaults.

    Args:
        path: the YAML 1.2 file.
        overrides: `key=value` with dots, the value in YAML; a relative path in it starts here,
            not at the file's folder.
        values: the same from Python: `budget={"trials": 3}` or `**{"budget.trials": 3}`.

    Raises:
        SweepFileError: everything that is wrong, each as `file:line:column: what (received ...)`.
    """
    document = _read(SWEEP, Path(path), overrides, values)
    checks = (
        check_backbones,
        check_conditions,
        check_augmentation,
        check_photos,
        check_enqueued,
        check_credentials,
    )
    return _validate(document, Sweep, [one for check in checks for one in check(document)])


def load_recipe(path: str | Path, overrides: Sequence[str] = (), **values: Any) -> Pretraining:
    """Read the recipe of a pretraining; arguments, precedence and errors are those of `load`."""
    document = _read(RECIPE, Path(path), overrides, values)
    checks = (check_backbones, check_recipe, check_credentials)
    return _validate(document, Pretraining, [one for check in checks for one in check(document)])


def _read(kind: Kind, path: Path, overrides: Sequence[str], values: Mapping[str, Any]) -> Document:
    document = parse(_text(kind, path), Spot.in_file(str(path)))
    if not isinstance(document.value, dict):
        raise _error(document.mistakes or [no_mapping(document, kind)])
    if other := [*check_kind(document, kind)]:
        raise _error(other)
    resolve_paths(document, path.absolute().parent)
    apply_overrides(document, overrides)
    apply_values(document, values, after=len(overrides))
    apply_environment(document, kind.model.model_fields)
    # What the file says is absolute by now, so this reaches only what came on top of it.
    resolve_paths(document, Path.cwd())
    return document


def dump(model: Sweep | Pretraining) -> str:
    """All of it, defaults included, as YAML that loads again to an equal one.

    Credentials in addresses are left out; loading says so, and takes them from the environment.
    """
    stream = io.StringIO()
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = None
    yaml.width = 100
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    values = redact_values(model.model_dump(mode="json", by_alias=True))
    if isinstance(model, Pretraining):
        _leave_out(values, without_effect(model.method, model.data.source))
    else:
        _leave_out_empty_conditions(values)
    yaml.dump(values, stream)
    return stream.getvalue()


def _leave_out(values: dict[str, Any], paths: Iterable[tuple[str, ...]]) -> None:
    for *parents, last in paths:
        del reduce(lambda node, step: node[step], parents, values)[last]


def _leave_out_empty_conditions(values: dict[str, Any]) -> None:
    for parameter in values["space"].values():
        if parameter["when"] is None:
            del parameter["when"]


def _validate(document: Document, model: type[Model], checks: list[Mistake]) -> Model:
    mistakes = [*document.mistakes, *checks]
    try:
        valid = model.model_validate(document.value)
    except ValidationError as error:
        raise _error([*mistakes, *explain(error, document, model)]) from None
    if mistakes:
        raise _error(mistakes)
    return valid


def _error(mistakes: list[Mistake]) -> SweepFileError:
    return SweepFileError([str(mistake) for mistake in sorted(mistakes, key=lambda m: m.spot)])


def _text(kind: Kind, path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        what = f"not UTF-8 text (received byte 0x{error.object[error.start]:02x})"
        mistake = Mistake(Spot.in_file(str(path), line), what, "save the file as UTF-8")
    except OSError as error:
        what = f"the {kind.name} cannot be read: {error.strerror}"
        mistake = Mistake(Spot.in_file(str(path)), what, _near(kind, path))
    raise _error([mistake])


def _near(kind: Kind, path: Path) -> str:
    """A hint: the file that may have been meant, or those there are."""
    folders = (path, path.parent, kind.example.parent)
    folder = next((folder for folder in folders if folder.is_dir()), Path())
    files = {file.name: file for file in sorted(folder.glob("*.y*ml"))}
    if found := nearest(path.name, files):
        return f"did you mean {files[found]}?"
    return f"files there: {', '.join(map(str, files.values()))}" if files else "check the path"
