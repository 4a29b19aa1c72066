"""Every colour mode and orientation, and every way for a file to be no photo."""

from __future__ import annotations

import contextlib
import io
import pickle
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms

from tlsearch.data import photo as photo_module
from tlsearch.data.photo import (
    TooManyPixels,
    UnknownFormat,
    UnreadablePhoto,
    decode,
    open_photo,
    read_opened,
    read_photo,
)
from tlsearch.errors import DataError

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL")

RED, GREEN, BLUE, WHITE = (200, 30, 40), (20, 160, 60), (30, 40, 190), (255, 255, 255)


def encode(image, kind, **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def quarters(side=32):
    """Red, green over blue, white: no turn or reflection maps it to itself."""
    image = Image.new("RGB", (side, side), RED)
    half = side // 2
    image.paste(GREEN, (half, 0, side, half))
    image.paste(BLUE, (0, half, half, side))
    image.paste(WHITE, (half, half, side, side))
    return image


def corners(array):
    side = len(array)
    near, far = side // 4, side - side // 4 - 1
    return [tuple(array[y, x].tolist()) for y in (near, far) for x in (near, far)]


def assert_quarters(array, tolerance=6):
    expected = [RED, GREEN, BLUE, WHITE]
    assert np.abs(np.subtract(corners(array), expected)).max() <= tolerance


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("JPEG", {"quality": 95, "subsampling": 0}),
        ("PNG", {}),
        ("WEBP", {"lossless": True}),
        ("GIF", {}),
        ("BMP", {}),
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
    ],
)
def test_formats(kind, options):
    array = read_photo(encode(quarters(), kind, **options), 32)
    assert (array.shape, array.dtype) == ((32, 32, 3), np.uint8)
    assert_quarters(array)


def test_a_path_and_its_bytes_give_the_same(tmp_path):
    data = encode(quarters(100), "JPEG")
    (tmp_path / "photo.jpg").write_bytes(data)
    assert np.array_equal(read_photo(tmp_path / "photo.jpg", 48), read_photo(data, 48))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF"])
def test_orientations(kind, orientation):
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = quarters(64)
    if orientation in undo:
        stored = stored.transpose(undo[orientation])
    options = {"quality": 95} if kind == "JPEG" else {}
    assert_quarters(read_photo(encode(stored, kind, exif=exif, **options), 64), tolerance=12)


def test_damaged_exif_leaves_the_picture_as_it_is():
    data = encode(quarters(), "JPEG", exif=b"Exif\x00\x00MM\x00*\xff\xff\xff\xff", quality=95)
    assert_quarters(read_photo(data, 32), tolerance=12)


@pytest.mark.parametrize("mode", ["1", "L"])
def test_grey_and_black_and_white(mode):
    image = Image.new(mode, (8, 8), 255)
    image.paste(0, (0, 0, 4, 8))
    array = read_photo(encode(image, "PNG"), 8)
    assert (array[:, :4] == 0).all()
    assert (array[:, 4:] == 255).all()


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bit_grey_is_scaled_and_not_clipped(kind):
    values = np.array([[0, 257 * 10], [257 * 128, 65535]], np.uint16)
    array = read_photo(encode(Image.fromarray(values), kind), 2)
    assert array[..., 0].tolist() == [[0, 10], [128, 255]]


def test_float_grey_is_stretched():
    values = np.array([[-1.0, 0.0], [1.0, np.nan]], np.float32)
    array = read_photo(encode(Image.fromarray(values), "TIFF"), 2)
    assert array[..., 1].tolist() == [[0, 128], [255, 128]]


def test_sixteen_bit_colour_keeps_its_range():
    raw = np.full((2, 2, 3), 257 * 100, ">u2")
    rows = b"".join(b"\x00" + row.tobytes() for row in raw)
    data = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in [
            (b"IHDR", struct.pack(">IIBBBBB", 2, 2, 16, 2, 0, 0, 0)),
            (b"IDAT", zlib.compress(rows)),
            (b"IEND", b""),
        ]
    )
    assert (read_photo(data, 2) == 100).all()


def test_cmyk_as_adobe_writes_it_is_not_a_negative():
    """Pillow writes CMYK as Adobe does: inverted, and marked so."""
    data = encode(quarters().convert("CMYK"), "JPEG", quality=95)
    assert b"Adobe" in data
    assert_quarters(read_photo(data, 32), tolerance=12)


def test_cmyk_without_the_mark():
    assert_quarters(read_photo(encode(quarters().convert("CMYK"), "TIFF"), 32))


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA"])
def test_alpha_is_composited_on_white(mode):
    image = Image.new("RGBA", (8, 8), (0, 0, 0, 0))
    image.paste((0, 0, 0, 255), (4, 0, 8, 8))
    if mode == "PA":
        data = encode(image.quantize(4), "PNG")
        assert decode_mode(data) == "P"
    else:
        data = encode(image.convert(mode), "PNG")
    array = read_photo(data, 8)
    assert (array[:, :4] == 255).all()
    assert (array[:, 4:] == 0).all()


def decode_mode(data):
    return Image.open(io.BytesIO(data)).mode


def test_half_transparent_red_on_white_is_pink():
    array = read_photo(encode(Image.new("RGBA", (4, 4), (255, 0, 0, 128)), "PNG"), 4)
    assert np.abs(array[0, 0].astype(int) - [255, 127, 127]).max() <= 1


def test_a_transparent_palette_entry_is_white():
    image = Image.new("P", (4, 4), 1)
    image.putpalette([0, 0, 0, 10, 20, 30])
    image.paste(0, (0, 0, 2, 4))
    array = read_photo(encode(image, "GIF", transparency=0), 4)
    assert (array[:, :2] == 255).all()
    assert array[0, 3].tolist() == [10, 20, 30]


def test_the_first_frame_of_an_animation():
    frames = [Image.new("RGB", (4, 4), RED), Image.new("RGB", (4, 4), BLUE)]
    data = encode(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert read_photo(data, 4)[0, 0].tolist() == list(RED)


def test_a_phone_s_jpeg_with_a_second_picture():
    frames = [Image.new("RGB", (16, 16), RED), Image.new("RGB", (16, 16), BLUE)]
    data = encode(frames[0], "MPO", save_all=True, append_images=frames[1:])
    assert np.abs(read_photo(data, 4)[0, 0].astype(int) - RED).max() <= 4


def test_an_embedded_profile_is_converted_to_srgb():
    """Mid grey in a profile with linear light is a much lighter grey in sRGB."""
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
    photo = Image.new("RGB", (4, 4), (128, 128, 128))
    plain = read_photo(encode(photo, "PNG"), 4)
    assert (plain == 128).all()
    linear = linear_profile()
    assert read_photo(encode(photo, "PNG", icc_profile=linear), 4)[0, 0, 0] > 180
    for useless in (lab.tobytes(), b"no profile"):
        assert (read_photo(encode(photo, "PNG", icc_profile=useless), 4) == 128).all()


def linear_profile():
    """sRGB's own profile with its curves replaced by straight lines, under another name."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    for number in range(struct.unpack_from(">I", data, 128)[0]):
        name, offset, length = struct.unpack_from(">4sII", data, 132 + 12 * number)
        if name in (b"rTRC", b"gTRC", b"bTRC"):
            struct.pack_into(">4sII", data, offset, b"curv", 0, 0)
        if name == b"desc":
            text = bytes(data[offset : offset + length])
            swapped = text.replace("sRGB".encode("utf-16-be"), "line".encode("utf-16-be"))
            data[offset : offset + length] = swapped.replace(b"sRGB", b"line")
    return bytes(data)


def test_the_resize_is_antialiased_and_squashes_the_whole_picture():
    stripes = np.zeros((64, 256, 3), np.uint8)
    stripes[:, ::2] = 255
    array = read_photo(encode(Image.fromarray(stripes), "PNG"), 16)
    assert np.abs(array.astype(int) - 127).max() <= 20


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"])
def test_a_truncated_file_is_unreadable(kind):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    data = encode(Image.fromarray(noise), kind)
    for share in (0.1, 0.5, 0.9):
        with pytest.raises(UnreadablePhoto):
            read_photo(data[: int(len(data) * share)], 32)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"])
def test_damaged_bytes_never_raise_pillow_s_own_errors(kind):
    random = np.random.default_rng(1)
    data = np.frombuffer(encode(quarters(), kind), np.uint8)
    for _ in range(150):
        damaged = data.copy()
        where = random.integers(0, len(data), 8)
        damaged[where] = random.integers(0, 256, 8)
        with contextlib.suppress(UnreadablePhoto):
            assert read_photo(damaged.tobytes(), 8).shape == (8, 8, 3)


@pytest.mark.parametrize("data", [b"", b"no picture", b"<svg/>", b"%PDF-1.4"])
def test_other_files_are_unreadable(data):
    with pytest.raises(UnreadablePhoto, match="cannot be read"):
        read_photo(data, 8)


def test_formats_that_were_not_named_are_refused():
    with pytest.raises(UnreadablePhoto, match="not a picture in one of the formats JPEG"):
        read_photo(encode(quarters(), "PPM"), 8)


def test_pixels_are_counted_before_decoding():
    """A header that promises 40,000 x 40,000 pixels, followed by nothing."""
    body = struct.pack(">IIBBBBB", 40_000, 40_000, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + b"IHDR" + body + struct.pack(">I", zlib.crc32(b"IHDR" + body))
    with pytest.raises(UnreadablePhoto, match="received: more than 178,000,000 pixels"):
        read_photo(b"\x89PNG\r\n\x1a\n" + chunk + struct.pack(">I", 0) + b"IDAT", 8)


def test_our_own_limit_holds_below_pillow_s(monkeypatch):
    monkeypatch.setattr(photo_module, "PIXEL_LIMIT", 32 * 32 - 1)
    with pytest.raises(UnreadablePhoto, match="32 x 32 pixels are more than"):
        read_photo(encode(quarters(), "PNG"), 8)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UnreadablePhoto, match=r"absent\.jpg: No such file"):
        read_photo(tmp_path / "absent.jpg", 8)


def test_the_error_is_a_data_error_and_travels_between_processes():
    error = pickle.loads(pickle.dumps(UnreadablePhoto("torn")))
    assert isinstance(error, DataError)
    assert error.reason == "torn"


def test_decode_gives_rgb_at_full_size():
    image = decode(encode(quarters().convert("L"), "PNG"))
    assert (image.mode, image.size) == ("RGB", (32, 32))


def test_opening_looks_at_the_header_alone():
    data = encode(quarters(), "PNG")
    image = open_photo(data[:-30])
    assert image.size == (32, 32)
    with pytest.raises(UnreadablePhoto):
        read_opened(image, 8)
    assert np.array_equal(read_opened(open_photo(data), 8), read_photo(data, 8))


def test_why_a_photo_is_not_opened_can_be_told_apart():
    data = encode(quarters(), "PNG")
    with pytest.raises(UnknownFormat, match="formats JPEG, WEBP"):
        open_photo(data, ("JPEG", "WEBP"))
    with pytest.raises(TooManyPixels, match="32 x 32 pixels are more than 1,023"):
        open_photo(data, pixels=32 * 32 - 1)
    assert open_photo(data, pixels=32 * 32).size == (32, 32)
    with pytest.raises(UnreadablePhoto) as caught:
        open_photo(data[:20])
    assert type(caught.value) is UnreadablePhoto
    again = pickle.loads(pickle.dumps(TooManyPixels("huge")))
    assert (type(again), again.reason) == (TooManyPixels, "huge")
