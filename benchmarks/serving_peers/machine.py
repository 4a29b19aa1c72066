"""What the servers were measured on."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

from tlsearch.errors import SetupError


def two_cores(wanted: int | None) -> tuple[int, int]:
    """The servers' core and that of the load.

    Raises:
        SetupError: there are no two, or not that one.
    """
    cores = sorted(os.sched_getaffinity(0))
    server = cores[0] if wanted is None else wanted
    others = [core for core in cores if core != server]
    if server not in cores or not others:
        raise SetupError(
            "a server and its load each need a core",
            received=f"cores {cores}, the server on {server}",
            expected="two cores, the server's among them",
        )
    return server, others[0]


def facts(server_core: int, load_core: int) -> dict[str, Any]:
    """Ready for JSON. `load` is the machine's load average at the end."""
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "server_core": server_core,
        "load_core": load_core,
        "load": os.getloadavg(),
        "system": platform.platform(),
        "python": platform.python_version(),
    }


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
