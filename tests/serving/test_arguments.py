"""What the command is told, and what it does not take."""

from __future__ import annotations

import pytest
import typer

from serving.arguments import Arguments
from serving.options import ServeOptions


def options(**given):
    return Arguments("bundle", **given).options()


def refusal(**given) -> str:
    with pytest.raises(typer.BadParameter) as caught:
        options(**given)
    return f"{caught.value.param_hint}: {caught.value.message}"


def test_defaults_are_those_of_the_server():
    assert options() == ServeOptions("bundle")


def test_formats_have_the_names_that_people_use():
    assert options().photos.formats == ("JPEG", "PNG", "WEBP")
    assert options(formats="jpg, Tiff").photos.formats == ("JPEG", "TIFF")


@pytest.mark.parametrize(("formats", "word"), [("jpeg,heic", "heic"), ("", ""), ("png,", "")])
def test_other_formats_are_refused(formats, word):
    expected = f"--formats: {word!r} is none of jpeg, png, webp, gif, bmp, tiff"
    assert refusal(formats=formats) == expected


def test_a_lame_duck_leaves_time_for_an_end():
    assert options(lame_duck=18).lame_duck == 18
    assert options(grace=1).grace == 1
    for grace, duck, least in [(20, 20, 22), (20, 25, 27), (20, 18.5, 20.5)]:
        words = refusal(grace=grace, lame_duck=duck)
        assert words.startswith(f"--lame-duck: {duck} s leave no time for an end")
        assert words.endswith(f"has to be at least {least} s")
