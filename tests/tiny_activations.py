"""Activations that follow from a photo's content, so that any process can tell right from wrong."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from tlsearch.store.key import ActivationKey

SHAPE = (3, 3, 8)
ROW_BYTES = 3 * 3 * 8 * 2


def key(**changes):
    plain = {
        "backbone": "MobileNet(alpha=0.25)",
        "weights": "0" * 64,
        "preprocessing": "tf",
        "resize": "1" * 64,
        "image_size": 96,
        "cut": "conv_pw_9_relu",
        "view": "original",
        "version": "test",
    }
    return ActivationKey(**plain | changes)


linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def contents(count, start=0):
    numbers = range(start, start + count)
    return [hashlib.sha256(str(number).encode()).hexdigest() for number in numbers]


def expected(photos):
    """float32 [len(photos), *SHAPE]."""
    seeds = (int(photo[:8], 16) for photo in photos)
    return np.stack([np.random.default_rng(seed).normal(size=SHAPE).astype("f4") for seed in seeds])


def start(script, *arguments):
    """A process of its own that runs this script; it may import this module."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def flip(file, position=-1):
    """Change one bit of one byte."""
    data = bytearray(file.read_bytes())
    data[position] ^= 1
    file.write_bytes(data)


def shards(folder):
    """The JSON files of all shards below a folder."""
    return sorted(folder.rglob("shard-*.json"))


def open_files(folder):
    """The files below a folder that this process has open."""
    found = []
    for number in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):
            found.append(number.readlink())
    return [file for file in found if file.is_relative_to(folder)]
