"""Where a backbone's weights lie, how they come there, and how they get into a network.

ResNet10's come with the package; those of the other networks are published.

keras.applications reads `KERAS_HOME/models` only where it may also write there (elsewhere it turns
to a folder under /tmp), checks some files against a sum and downloads without a time limit. So
the same files in the same folder are read, and fetched, here.
"""

from __future__ import annotations

import hashlib
import logging
import os
import warnings
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING

from tlsearch.backbones.table import Row, find
from tlsearch.config.schema import BackboneChoice
from tlsearch.errors import UsageError, WeightsError

if TYPE_CHECKING:
    import keras

_log = logging.getLogger(__name__)
_BUILTIN = Path(__file__).with_name("builtin")
_MOBILENET_WIDTHS = {1.0: "1_0", 0.75: "7_5", 0.5: "5_0", 0.25: "2_5"}
_NO_DOWNLOAD = "`tlsearch run sweeps/quickstart.yaml` needs no download"


@dataclass(frozen=True)
class Published:
    """One published weights file: where it is looked for, and where it comes from."""

    path: Path
    address: str


def models_folder() -> Path:
    """Where keras.applications keeps its weights: `KERAS_HOME/models` or `~/.keras/models`."""
    home = os.environ.get("KERAS_HOME") or "~/.keras"
    return Path(home).expanduser() / "models"


def published(row: Row, alpha: float | None, image_size: int) -> Published:
    """The ImageNet weights of a network.

    A size that nothing was published for gets the weights of 224 pixels, as in keras.

    Raises:
        UsageError: there are none of this network.
    """
    if row.weights_address is None:
        raise UsageError(
            f"{row.name} was not trained on ImageNet",
            received="weights: imagenet",
            expected="`builtin`, or a .weights.h5 or .h5 file",
            hint="leave `weights` out",
        )
    size = image_size if image_size in row.published_sizes else 224
    fields = {"alpha": _alpha_text(row, alpha), "size": size}
    path = models_folder() / row.weights_file.format(**fields)
    return Published(path, row.weights_address.format(**fields))


def weights_file(spec: BackboneChoice, image_size: int | None = None) -> Path | None:
    """The file that `build` will want, whether or not it is there; None where it wants none.

    Raises:
        UsageError: the table has no such backbone or alpha, or there are no such weights of it.
        WeightsError: what comes with tlsearch is missing.
    """
    if spec.is_file:
        return Path(spec.name).expanduser()
    if spec.preset is not None or spec.weights == "random":
        return None
    row = find(spec.name)
    check_alpha(row, spec.alpha)
    if spec.weights_path is not None:
        return spec.weights_path
    if spec.weights == "builtin":
        return builtin(row)
    return published(row, spec.alpha, image_size or row.image_size).path


def own_weights_file(spec: BackboneChoice) -> Path | None:
    """What `build` reads beside a `.keras` file or a preset, whose own weights it replaces."""
    return spec.weights_path if spec.is_file or spec.preset is not None else None


def weights_digest(spec: BackboneChoice, image_size: int | None = None) -> str:
    """What stands for the weights of a backbone: the SHA-256 of their file, in hex; for a preset,
    which has no one file, its name; followed by that of `own_weights_file`.

    Raises:
        UsageError: there are no such weights.
        WeightsError: a file is not there, so that nobody can say what is in it.
    """
    file, own = weights_file(spec, image_size), own_weights_file(spec)
    digest = f"preset {spec.preset}" if file is None else _read_digest(file)
    return digest if own is None else f"{digest} with {_read_digest(own)}"


def _read_digest(file: Path) -> str:
    try:
        return _digest(file, file.stat().st_mtime_ns)
    except OSError as error:
        raise WeightsError(
            "the weights of a backbone cannot be read",
            received=f"{file} ({error.strerror})",
            hint=f"put the file there, or let `tlsearch run` fetch it; {_NO_DOWNLOAD}",
        ) from error


@lru_cache(maxsize=32)
def _digest(file: Path, changed: int) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def builtin(row: Row) -> Path:
    """The file of weights that comes with tlsearch.

    Raises:
        UsageError: none does for this network.
        WeightsError: it should be there and is not.
    """
    if row.weights != "builtin":
        raise UsageError(
            f"no weights of {row.name} come with tlsearch",
            received="weights: builtin",
            expected="`imagenet`, or a .weights.h5 or .h5 file",
            hint="leave `weights` out, or write `backbone: ResNet10`",
        )
    path = _BUILTIN / row.weights_file
    if not path.is_file():
        raise WeightsError(
            f"the weights of {row.name} that come with tlsearch are missing",
            received=path,
            hint="install tlsearch again",
        )
    return path


def check_alpha(row: Row, alpha: float | None) -> None:
    """Raises UsageError where the network does not come in this width."""
    if alpha is None or alpha in row.alphas:
        return
    widths = ", ".join(f"{width:g}" for width in row.alphas)
    raise UsageError(
        f"{row.name} does not come in this width",
        received=f"alpha: {alpha:g}",
        expected=f"one of {widths}" if widths else "no alpha",
        hint="leave `alpha` out" if not widths else f"write `alpha: {row.alphas[-1]:g}`",
    )


def load_weights(model: keras.Model, row: Row, spec: BackboneChoice, image_size: int) -> None:
    """Read the weights that `spec` names, which are not `random`, into `model`.

    Raises:
        UsageError: there are no such weights of the network.
        WeightsError: the file is absent and cannot be fetched, or does not fit the network.
    """
    if spec.weights != "imagenet":
        read_weights(model, spec.weights_path or builtin(row))
        return
    file = published(row, spec.alpha, image_size)
    if not file.path.is_file():
        fetch(file)
    read_weights(model, file.path)
    if row.family == "EfficientNet":
        _correct_variance(model)


def fetch(file: Published) -> None:
    """Download a weights file; it appears under its name only once it is complete.

    Raises:
        WeightsError: no network (told within 10 seconds, or 30 once connected), no such file, or
            no place to put it.
    """
    import httpx

    _log.info("downloading %s to %s", file.address, file.path)
    try:
        file.path.parent.mkdir(parents=True, exist_ok=True)
        _download(file)
    except (httpx.HTTPError, OSError) as error:
        raise WeightsError(
            "the ImageNet weights are not on this machine and could not be downloaded",
            received=f"{file.address} ({error})",
            expected=f"the file {file.path.name} in {file.path.parent}",
            hint=f"download it elsewhere and put it there (KERAS_HOME moves it); {_NO_DOWNLOAD}",
        ) from error


def _download(file: Published) -> None:
    import httpx

    timeout = httpx.Timeout(30, connect=10)
    with NamedTemporaryFile(dir=file.path.parent, suffix=".part", delete=False) as target:
        partial = Path(target.name)
        try:
            with httpx.stream("GET", file.address, timeout=timeout, follow_redirects=True) as reply:
                reply.raise_for_status()
                for chunk in reply.iter_bytes(1 << 20):
                    target.write(chunk)
            target.flush()
            partial.chmod(0o644)
            partial.replace(file.path)
        finally:
            partial.unlink(missing_ok=True)


def read_weights(model: keras.Model, path: Path) -> None:
    """Load a weights file into a model of the same graph.

    Raises:
        WeightsError: the file is absent, damaged or of another network.
    """
    if not path.is_file():
        raise WeightsError(
            "there is no such weights file",
            received=path,
            expected="`imagenet`, `builtin` (ResNet10), or a .weights.h5, .h5 or .keras file",
            hint="write the path from where the command runs, or an absolute one",
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # one for every group that is absent, then the error
            model.load_weights(path)
    except Exception as error:  # h5py and keras raise a dozen classes for a file that is wrong
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise WeightsError(
            f"this weights file does not fit {model.name}, or is damaged",
            received=f"{path} ({reason})",
            expected="weights of the same network, saved without its classifier",
            hint=f"if it was downloaded, delete it and run again; {_NO_DOWNLOAD}",
        ) from error


def _correct_variance(model: keras.Model) -> None:
    """Let EfficientNet's `normalization` divide by the deviation, not by its square root.

    The published files hold the deviation where the layer expects the variance. keras.applications
    makes up for it with one more Rescaling layer, but only with `weights="imagenet"`: a network
    rebuilt without would then compute something else from the same weights. Squaring the value
    gives the same numbers and one graph, however the network is built.
    """
    import keras

    [layer] = [one for one in model.layers if isinstance(one, keras.layers.Normalization)]
    layer.adapt_variance.assign(layer.adapt_variance * layer.adapt_variance)
    layer.finalize_state()


def _alpha_text(row: Row, alpha: float | None) -> str:
    width = 1.0 if alpha is None else float(alpha)
    return _MOBILENET_WIDTHS[width] if row.name == "MobileNet" else str(width)
