"""CSV manifests: what they may look like, and every mistake with its row."""

from __future__ import annotations

import pytest

from tlsearch.data.manifest import ManifestSource
from tlsearch.errors import DataError


@pytest.fixture
def write(tmp_path):
    for name in ("1.jpg", "2.jpg", "deep/3.jpg", "with, comma.jpg", "NA"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()

    def write_manifest(text, encoding="utf-8"):
        (tmp_path / "list.csv").write_bytes(text.encode(encoding))
        return ManifestSource(tmp_path / "list.csv")

    return write_manifest


def test_path_and_label(write, tmp_path):
    photos = write("path,label\n1.jpg,a\ndeep/3.jpg,b\n").photos()
    assert [(p.path, p.label, p.split) for p in photos] == [
        (tmp_path / "1.jpg", "a", None),
        (tmp_path / "deep/3.jpg", "b", None),
    ]


def test_splits_other_columns_quotes_blank_lines_and_a_byte_order_mark(write, tmp_path):
    text = (
        'Label, Split ,id,Path\r\na,val,1,"with, comma.jpg"\r\n\r\nb,,2,1.jpg\r\nb,TEST,3,2.jpg\r\n'
    )
    photos = write(text, "utf-8-sig").photos()
    assert [(p.path.name, p.label, p.split) for p in photos] == [
        ("with, comma.jpg", "a", "validation"),
        ("1.jpg", "b", None),
        ("2.jpg", "b", "test"),
    ]


def test_labels_are_text_whatever_they_look_like(write):
    photos = write("path,label\n1.jpg,007\n2.jpg,NA\nNA,1.0\n").photos()
    assert [p.label for p in photos] == ["007", "NA", "1.0"]


def test_every_mistake_is_reported_with_its_row(write):
    source = write("path,label,split\n1.jpg,a,\n,b,\n2.jpg,,\nabsent.jpg,b,dev\n1.jpg,a,\n")
    with pytest.raises(DataError) as raised:
        source.photos()
    message = str(raised.value)
    assert "the manifest has 5 mistakes" in message
    for line in (
        "row 3: no path",
        "row 4: no label",
        "row 5: no such file: absent.jpg",
        "row 5: no such split: dev",
        "row 6: 1.jpg is in row 2 already",
    ):
        assert line in message


def test_the_first_missing_files_and_how_many_more(write):
    rows = "".join(f"absent{number}.jpg,a\n" for number in range(25))
    with pytest.raises(DataError) as raised:
        write("path,label\n" + rows).photos()
    message = str(raised.value)
    assert "25 mistakes" in message
    assert "absent9.jpg" in message
    assert "absent10.jpg" not in message
    assert "and 15 more" in message


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "cannot be read"),
        ("file,class\n1.jpg,a\n", "columns file, class"),
        ("path,label\n1.jpg,a,extra\n2.jpg,b,extra\n", "more fields than the header"),
        ("path,label\n1.jpg,a\n2.jpg,b,extra,more\n", "line 3"),
        ("path,label\n", "has no photos"),
        ("path,label\n1.jpg,a\n2.jpg,a\n", "one class only: a"),
    ],
)
def test_what_is_wrong_is_said(write, text, what):
    with pytest.raises(DataError, match=what):
        write(text).photos()


def test_another_encoding_is_refused(write):
    with pytest.raises(DataError, match="UTF-8"):
        write("path,label\n1.jpg,gänseblümchen\n", "latin-1").photos()
