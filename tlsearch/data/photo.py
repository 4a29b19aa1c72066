"""One photo: from a file's bytes to the uint8 RGB array that a person would see.

Training, prediction and the server all read photos here, so that a model meets in production
the pixels it was trained on. Imports Pillow, numpy and tlsearch.errors, nothing else.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, ImageOps

from tlsearch.errors import DataError

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
PIXEL_LIMIT = 178_000_000
"""Width times height above which a photo is refused from its header, before it is decoded."""

RESIZE_RULE: dict[str, str] = {
    "version": "1",
    "library": "Pillow",
    "filter": "bilinear",
    "antialias": "true",
    "fit": "squash the whole picture to a square",
    "orientation": "as EXIF says",
    "alpha": "composited on white",
    "colour": "sRGB",
}
"""What `read_photo` does. A bundle carries it; two stores share pixels only if it is the same."""


class UnreadablePhoto(DataError):
    """These bytes are not a photo that can be shown. `reason` is one line."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            "the photo cannot be read",
            received=reason,
            expected=f"a whole picture in one of the formats {', '.join(FORMATS)}",
            hint="open it in a viewer; save it anew as JPEG, or leave it out",
        )
        self.reason = reason

    def __reduce__(self) -> tuple[type[UnreadablePhoto], tuple[str]]:
        return type(self), (self.reason,)


class UnknownFormat(UnreadablePhoto):
    """These bytes are a picture in none of the formats that are read."""


class TooManyPixels(UnreadablePhoto):
    """The header says that the picture is larger than may be decoded."""


def read_photo(source: Path | bytes, size: int) -> np.ndarray:
    """The photo as `RESIZE_RULE` says: uint8 RGB of shape [size, size, 3].

    Args:
        source: a file, or the bytes of one.
        size: pixels a side.

    Raises:
        UnreadablePhoto: the file cannot be opened, or is no whole picture.
    """
    data = source if isinstance(source, bytes) else _read(source)
    return read_opened(open_photo(data), size)


def decode(data: bytes) -> Image.Image:
    """The first frame of a picture, upright, opaque, 8 bits a channel, in mode RGB and sRGB.

    Raises:
        UnreadablePhoto: an unknown format, too many pixels, or a damaged or truncated file.
    """
    return _decode(open_photo(data))


def open_photo(
    data: bytes, formats: Sequence[str] = FORMATS, pixels: int = PIXEL_LIMIT
) -> Image.Image:
    """Look at a photo's header; nothing is decoded. `read_opened` goes on from here.

    Args:
        formats: names of Pillow, of `FORMATS`.
        pixels: the most that width times height may be; above `PIXEL_LIMIT` that counts.

    Raises:
        UnknownFormat: it is a picture in none of the formats.
        TooManyPixels: more than may be.
        UnreadablePhoto: there is nothing, or the header is damaged.
    """
    if not data:
        raise UnreadablePhoto("the file is empty")
    limit = min(pixels, PIXEL_LIMIT)
    try:
        image = Image.open(io.BytesIO(data), formats=tuple(formats))
    except Image.UnidentifiedImageError as error:
        reason = f"not a picture in one of the formats {', '.join(formats)}"
        raise UnknownFormat(reason) from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise TooManyPixels(f"more than {limit:,} pixels") from error
    except MemoryError:
        raise
    except Exception as error:  # Pillow's readers of headers raise nearly every built-in error
        raise UnreadablePhoto(_explain(error)) from error
    width, height = image.size
    if width * height > limit:
        raise TooManyPixels(f"{width} x {height} pixels are more than {limit:,}")
    return image


def read_opened(image: Image.Image, size: int) -> np.ndarray:
    """What `read_photo` makes of a photo that `open_photo` opened. To be called once for each.

    Raises:
        UnreadablePhoto: it is no whole picture.
    """
    photo = _decode(image).resize((size, size), Image.Resampling.BILINEAR)
    return np.array(photo, dtype=np.uint8)


def _decode(image: Image.Image) -> Image.Image:
    try:
        image.load()
        _turn_upright(image)
        return _to_rgb(image)
    except MemoryError:
        raise
    except Exception as error:  # Pillow's decoders raise nearly every built-in error
        raise UnreadablePhoto(_explain(error)) from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UnreadablePhoto(f"{path}: {error.strerror}") from error


def _explain(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _turn_upright(image: Image.Image) -> None:
    try:
        ImageOps.exif_transpose(image, in_place=True)
    except Exception:  # a damaged EXIF block does not make the picture unreadable
        return


def _to_rgb(image: Image.Image) -> Image.Image:
    profile = image.info.get("icc_profile")
    if image.mode.startswith(("I", "F")):
        return _from_deep_grey(image)
    if image.has_transparency_data:
        image = _composite_on_white(image)
    elif image.mode in ("1", "P"):
        image = image.convert("RGB")
    transform = _transform_to_srgb(profile, image.mode) if profile else None
    if transform is not None:
        return ImageCms.applyTransform(image, transform) or image
    return image if image.mode == "RGB" else image.convert("RGB")


def _from_deep_grey(image: Image.Image) -> Image.Image:
    """Grey of 16 bits scaled to 8; 32-bit values, which have no agreed white, stretched."""
    values = np.nan_to_num(np.asarray(image).astype(np.float64), posinf=0, neginf=0)
    low, high = (0.0, 65535.0) if image.mode.startswith("I;16") else (values.min(), values.max())
    grey = np.rint((values - low) * (255 / max(high - low, 1e-9)))
    return Image.fromarray(grey.astype(np.uint8)).convert("RGB")


def _composite_on_white(image: Image.Image) -> Image.Image:
    layer = image.convert("RGBA")
    white = Image.new("RGBA", layer.size, "white")
    return Image.alpha_composite(white, layer).convert("RGB")


@lru_cache(maxsize=32)
def _transform_to_srgb(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """None where the profile is sRGB already, is damaged, or does not fit the mode."""
    try:
        embedded = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if "srgb" in ImageCms.getProfileDescription(embedded).lower():
            return None
        return ImageCms.buildTransform(embedded, ImageCms.createProfile("sRGB"), mode, "RGB")
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None
