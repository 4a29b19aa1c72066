from __future__ import annotations

import shutil
import subprocess
from contextlib import suppress

import pytest

from tlsearch.errors import BundleError
from tlsearch.export.checksums import verify_checksums, write_checksums


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "a b.bin").write_bytes(b"\0" * 100)
    (tmp_path / "ä.txt").write_text("ä")
    write_checksums(tmp_path)
    return tmp_path


def test_what_is_written_is_right(folder):
    verify_checksums(folder)
    before = (folder / "SHA256SUMS").read_text()
    assert write_checksums(folder).read_text() == before


@pytest.mark.skipif(not shutil.which("sha256sum"), reason="there is no sha256sum command")
def test_sha256sum_reads_it(folder):
    command = ["sha256sum", "--check", "--strict", "SHA256SUMS"]
    assert subprocess.run(command, cwd=folder, capture_output=True).returncode == 0
    (folder / "ä.txt").write_text("o")
    assert subprocess.run(command, cwd=folder, capture_output=True).returncode != 0


def test_all_files_of_one_kind_are_named(folder):
    (folder / "ä.txt").write_text("o")
    (folder / "inner" / "a b.bin").write_bytes(b"")
    with pytest.raises(BundleError, match=r"received: inner/a b\.bin, ä\.txt"):
        verify_checksums(folder)


@pytest.mark.parametrize("line", ["abc  x", "0" * 64 + " x", "0" * 64, ""])
def test_damaged_lines_are_refused(folder, line):
    with (folder / "SHA256SUMS").open("a") as file:
        file.write(line + "\n")
    with pytest.raises(BundleError, match="is damaged"):
        verify_checksums(folder)


def test_bytes_that_are_no_text(folder):
    (folder / "SHA256SUMS").write_bytes(b"\xff\xfe")
    with pytest.raises(BundleError, match="is damaged"):
        verify_checksums(folder)


def test_every_bit_of_the_checksums_counts(folder):
    """No checksum watches over them."""
    file = folder / "SHA256SUMS"
    content = file.read_bytes()
    passed = []
    for place in range(8 * len(content)):
        changed = bytearray(content)
        changed[place // 8] ^= 1 << place % 8
        file.write_bytes(changed)
        with suppress(BundleError):
            verify_checksums(folder)
            passed.append(place)
    assert passed == []


@pytest.mark.parametrize("end", ["", "\n\n", "\r\n"])
def test_lines_end_as_they_are_written(folder, end):
    text = (folder / "SHA256SUMS").read_text().removesuffix("\n")
    (folder / "SHA256SUMS").write_bytes((text + end).encode())
    with pytest.raises(BundleError):
        verify_checksums(folder)
