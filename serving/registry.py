"""MLflow's model registry: which version an alias means, and that version's bundle.

A version's files hold the bundle under `bundle/`. MLflow's server sends them, wherever it keeps
them itself: behind its own proxy, in a folder, in an object store.
"""

from __future__ import annotations

import logging
import re
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from serving.kept import Kept, Meaning, Shelf, default_folder, has_checksums_of, is_whole, put
from serving.mlflow_rest import Allowance, MLflowServer, NotThere, Unreachable
from tlsearch.errors import BundleError, SetupError, UsageError
from tlsearch.export.checksums import CHECKSUMS_FILE, verify_checksums

MODELS = "models:/"
FILE_LIMIT = 100
"""Files of a bundle."""

SIZE_LIMIT = 8 << 30
"""Bytes of a bundle."""

SECONDS_LIMIT = 1800
"""Seconds that fetching a bundle may take."""

_BUNDLE = "bundle"
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_EXPORT = "tlsearch export SWEEP export.register={}"
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ModelUri:
    """`models:/NAME@ALIAS`, or `models:/NAME/VERSION`: one of alias and version is there."""

    name: str
    alias: str | None = None
    version: str | None = None

    @classmethod
    def parse(cls, text: str) -> ModelUri:
        """Read the two ways to name a version.

        Raises:
            UsageError: it is neither.
        """
        rest = text.removeprefix(MODELS)
        name, _, alias = rest.rpartition("@")
        if rest != text and alias and _is_model_name(name):
            return cls(name, alias=alias)
        name, _, version = rest.rpartition("/")
        if rest != text and version.isascii() and version.isdigit() and _is_model_name(name):
            return cls(name, version=str(int(version)))
        raise UsageError(
            "this names no version of a registered model",
            received=text,
            expected="models:/NAME@ALIAS or models:/NAME/VERSION",
            hint="for the champion: models:/NAME@champion",
        )


class Registry:
    """The model registry of one MLflow server. Several threads may use it at once."""

    def __init__(self, server: MLflowServer | None = None) -> None:
        """Nothing is asked yet; by default of the server that the environment names."""
        self.server = server or MLflowServer()

    def resolve(self, name: str, alias: str) -> str:
        """The version that an alias means now.

        Raises:
            SetupError: no such model or alias, or the server does not answer.
        """
        try:
            answer = self.server.ask("registered-models/alias", name=name, alias=alias)
        except NotThere as error:
            raise SetupError(
                f"MLflow at {self.server.address} has no {MODELS}{name}@{alias}",
                received=error.received,
                expected=f"a registered model {name} with the alias {alias}",
                hint=f"register the champion: {_EXPORT.format(name)}",
            ) from error
        return _version_of(answer, self.server)

    def download(self, name: str, version: str, folder: Path) -> Kept:
        """A version's bundle, whole and verified. Older ones that nobody uses go: see `kept`.

        Where the folder has it from before, only its checksums are asked for; and if the server
        does not answer, not even those.

        Args:
            name: of the registered model.
            version: its number.
            folder: where bundles are kept.

        Raises:
            BundleError: the version has none, or one that is damaged.
            SetupError: no such version, the server does not answer, the folder cannot be written.
        """
        shelf = self._shelf(name, folder)
        try:
            with shelf.take(version) as kept:
                self._fill(name, version, shelf, kept.folder)
                return kept
        except OSError as error:
            raise SetupError(
                f"version {version} of {name} cannot be written to disk",
                received=f"{error.filename or folder} ({error.strerror})",
                expected="a folder that this user may write to, with room in it",
                hint="make room, or set TLSEARCH_HOME to another folder",
            ) from error

    def remember(self, name: str, alias: str, version: str, folder: Path) -> None:
        """Note on disk what an alias means, for a start without the server.

        Raises:
            OSError: the folder cannot be written.
        """
        self._shelf(name, folder).remember(alias, version)

    def recall(self, name: str, alias: str, folder: Path) -> tuple[Meaning, Kept] | None:
        """What an alias was last known to mean, and its bundle, if that is still whole.

        Nothing is asked of the server.
        """
        shelf = self._shelf(name, folder)
        meaning = shelf.recall(alias)
        if meaning is None:
            return None
        with suppress(OSError), shelf.take(meaning.version) as kept:
            if is_whole(kept.folder):
                return meaning, kept
            kept.let_go()
        return None

    def close(self) -> None:
        """Let go of the connections."""
        self.server.close()

    def _shelf(self, name: str, folder: Path) -> Shelf:
        return Shelf(folder, self.server.address, name)

    def _fill(self, name: str, version: str, shelf: Shelf, place: Path) -> None:
        try:
            with shelf.workshop() as part:
                self._fetch_into(name, version, part, place)
        except Unreachable:
            if not is_whole(place):
                raise

    def _fetch_into(self, name: str, version: str, part: Path, place: Path) -> None:
        allowance = Allowance(SIZE_LIMIT, time.monotonic() + SECONDS_LIMIT)
        names = self._fetch_names(name, version, part, allowance)
        if has_checksums_of(place, part) and is_whole(place):
            return
        self._fetch_files(name, version, [part / file for file in names], allowance)
        _verify(name, version, part)
        put(part, place)
        megabytes = (SIZE_LIMIT - allowance.size) / 1e6
        log.info("%s: version %s is fetched and whole, %.1f MB", name, version, megabytes)

    def _fetch_names(self, name: str, version: str, part: Path, allowance: Allowance) -> list[str]:
        """Fetch the checksums; the files that they name."""
        path = part / CHECKSUMS_FILE
        try:
            self._fetch(name, version, path, allowance)
        except NotThere as error:
            self._check_version(name, version)
            raise BundleError(
                f"version {version} of {name} has no bundle",
                received=error.received,
                expected=f"a version that tlsearch registered, with {_BUNDLE}/{CHECKSUMS_FILE}",
                hint=f"register the champion: {_EXPORT.format(name)}",
            ) from error
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        return _check_names(name, version, [line.partition("  ")[2] for line in lines])

    def _fetch_files(
        self, name: str, version: str, targets: list[Path], allowance: Allowance
    ) -> None:
        try:
            for target in targets:
                self._fetch(name, version, target, allowance)
        except NotThere as error:
            raise _damaged(name, version, error) from error

    def _fetch(self, name: str, version: str, target: Path, allowance: Allowance) -> None:
        query = {"name": name, "version": version, "path": f"{_BUNDLE}/{target.name}"}
        self.server.save("model-versions/get-artifact", query, target, allowance)

    def _check_version(self, name: str, version: str) -> None:
        try:
            self.server.ask("model-versions/get", name=name, version=version)
        except NotThere as error:
            raise SetupError(
                f"MLflow at {self.server.address} has no {MODELS}{name}/{version}",
                received=error.received,
                expected="a version of a registered model",
                hint=f"the versions are in MLflow's UI; for the champion: {MODELS}{name}@champion",
            ) from error


def fetch_bundle(uri: str, folder: Path | None = None) -> Path:
    """The bundle that `models:/...` means, from the server that the environment names.

    It stays at least as long as this process.

    Args:
        uri: see `ModelUri`.
        folder: where bundles are kept; default: in TLSEARCH_HOME.

    Raises:
        UsageError: the address says nothing.
        SetupError: see `Registry`.
    """
    wanted = ModelUri.parse(uri)
    registry = Registry()
    try:
        version = wanted.version or registry.resolve(wanted.name, wanted.alias or "")
        return registry.download(wanted.name, version, folder or default_folder()).folder
    finally:
        registry.close()


def _is_model_name(name: str) -> bool:
    """What MLflow takes for one; a dot or two would be another folder."""
    return bool(name) and name not in (".", "..") and not re.search(r"[/:\x00-\x1f]", name)


def _version_of(answer: dict, server: MLflowServer) -> str:
    version = str((answer.get("model_version") or {}).get("version", ""))
    if not (version.isascii() and version.isdigit()):
        raise SetupError(
            f"{server.address} does not answer as MLflow does",
            received=f"version {version!r:.80}",
            expected="the number of a version",
            hint="look at MLFLOW_TRACKING_URI",
        )
    return version


def _check_names(name: str, version: str, files: list[str]) -> list[str]:
    strange = [file for file in files if not _PLAIN_NAME.fullmatch(file)]
    if strange or not 0 < len(files) <= FILE_LIMIT:
        raise BundleError(
            f"version {version} of {name} has no usable {CHECKSUMS_FILE}",
            received=f"{len(files)} files" + "".join(f", {file!r:.80}" for file in strange[:3]),
            expected=f"1 to {FILE_LIMIT} lines of a SHA-256, two spaces and a plain file name",
            hint=f"register it again: {_EXPORT.format(name)}",
        )
    return files


def _verify(name: str, version: str, part: Path) -> None:
    try:
        verify_checksums(part)
    except BundleError as error:
        raise _damaged(name, version, error) from error


def _damaged(name: str, version: str, error: SetupError) -> BundleError:
    return BundleError(
        f"the bundle of version {version} of {name} is damaged in the registry",
        received=error.received,
        expected=f"exactly the files of its {CHECKSUMS_FILE}, as they were exported",
        hint=f"register it again: {_EXPORT.format(name)}",
    )
