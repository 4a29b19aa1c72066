"""What a benchmark ran on, and how long its libraries take to import."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

_PACKAGES = (
    "tlsearch",
    "tensorflow",
    "keras",
    "keras-tuner",
    "optuna",
    "mlflow",
    "numpy",
    "onnxruntime-gpu",
)


def facts() -> dict[str, Any]:
    """Processor, cores that may be used, memory, seconds and versions, ready for JSON.

    `import_seconds` is a process of Python that imports Keras on TensorFlow and ends.
    """
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "load": os.getloadavg()[0],
        "import_seconds": _import_seconds(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "packages": {name: version(name) for name in _PACKAGES},
    }


def _import_seconds() -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import keras"], check=True, capture_output=True)
    return time.perf_counter() - started


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
