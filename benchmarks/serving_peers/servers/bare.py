"""The limit: onnxruntime in a loop, no network.

    MODEL=... SIZE=... python bare.py SECONDS BATCH... [--photo FILE]

Runs each batch size for that long; one JSON object on stdout, with figures by batch size. With a
photo its bytes are decoded and resized anew for every image. On a GPU through IOBinding.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable

import numpy as np
from model import PROVIDER, SIZE, classify, classify_bound, open_model

_WARM = 0.3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("seconds", type=float)
    parser.add_argument("batch", type=int, nargs="+")
    parser.add_argument("--photo", type=argparse.FileType("rb"))
    arguments = parser.parse_args()
    session = open_model()
    call = classify if PROVIDER == "CPU" else classify_bound
    read = _reader(arguments.photo.read() if arguments.photo else None)

    def run(batch: int) -> None:
        call(session, np.stack([read() for _ in range(batch)]))

    for batch in arguments.batch:
        repeat(lambda batch=batch: run(batch), _WARM)
    found = {batch: measure(run, batch, arguments.seconds) for batch in arguments.batch}
    print(json.dumps(found))


def measure(run: Callable[[int], None], batch: int, seconds: float) -> dict[str, float]:
    before = time.process_time()
    started = time.perf_counter()
    times = repeat(lambda: run(batch), seconds)
    images = len(times) * batch
    return {
        "images": images,
        "images_per_second": images / (time.perf_counter() - started),
        "p50": float(np.percentile(times, 50)),
        "p99": float(np.percentile(times, 99)),
        "cpu_seconds": (time.process_time() - before) / images * 1000,
    }


def repeat(run: Callable[[], None], seconds: float) -> list[float]:
    """Seconds of each call."""
    times = []
    end = time.perf_counter() + seconds
    while (now := time.perf_counter()) < end:
        run()
        times.append(time.perf_counter() - now)
    return times


def _reader(photo: bytes | None) -> Callable[[], np.ndarray]:
    if photo is None:
        image = np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)
        return lambda: image
    from tlsearch.data.photo import read_photo

    return lambda: read_photo(photo, SIZE)


if __name__ == "__main__":
    main()
