"""Memory that ran out, told from what is left of it: an error, a log, the kernel's counter."""

from __future__ import annotations

import errno
from pathlib import Path

_WORDS = (
    "resource_exhausted",
    "resourceexhausted",
    "out of memory",
    "out_of_memory",
    "std::bad_alloc",
    "bad allocation",
    "cannot allocate memory",
    "failed to allocate",
    "unable to allocate",
    "memory allocation still failed",
    "cublas_status_alloc_failed",
    "cudnn_status_alloc_failed",
    "memoryerror",
    "oom when allocating",
    # oneDNN's status 1 is `dnnl_out_of_memory`, under whatever message TensorFlow passes it on.
    "exception:status: 1,",
    # Its runtime error: on a processor, a primitive that found no memory to work in.
    "exception:status: 5, message: could not execute a primitive",
)
"""What TensorFlow, XLA, CUDA, onnxruntime, OpenBLAS, libc, C++ and Python say, in small letters."""

_CGROUPS = Path("/sys/fs/cgroup")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory, the host's or an accelerator's, ran out."""
    if isinstance(error, MemoryError):
        return True
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    return tells_of_memory(f"{type(error).__name__}: {error}")


def tells_of_memory(text: str) -> bool:
    """Whether a text, such as the last lines of a dead process' log, says so."""
    small = text.lower()
    return any(word in small for word in _WORDS)


class OomKills:
    """How many processes the kernel has killed because memory ran out.

    Args:
        files: lines of names and numbers, one of them `oom_kill`; the first that has it counts.
    """

    def __init__(self, files: tuple[Path, ...] | None = None) -> None:
        self._files = oom_files() if files is None else files

    def count(self) -> int:
        """So far; 0 where the kernel does not tell."""
        found = (_read_count(file) for file in self._files)
        return next((count for count in found if count is not None), 0)


def oom_files(process: Path = Path("/proc/self/cgroup")) -> tuple[Path, ...]:
    """Where the kernel counts: this process' control group (version 2, then 1), then all of it."""
    try:
        lines = process.read_text().splitlines()
    except OSError:
        lines = []
    files = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        inner = path.lstrip("/")
        if not controllers:
            files.append(_CGROUPS / inner / "memory.events")
        elif "memory" in controllers.split(","):
            files.append(_CGROUPS / "memory" / inner / "memory.oom_control")
    return (*files, Path("/proc/vmstat"))


def _read_count(file: Path) -> int | None:
    try:
        pairs = (line.split() for line in file.read_text().splitlines())
        return next((int(pair[1]) for pair in pairs if pair[:1] == ["oom_kill"]), None)
    except OSError:
        return None
