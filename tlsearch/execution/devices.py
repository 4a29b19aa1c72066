"""Which GPUs this machine has, without importing a framework."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True)
class Gpu:
    """One GPU as `nvidia-smi` shows it. memory: bytes that it has."""

    index: str
    name: str
    compute_capability: float
    memory: int

    @property
    def has_bfloat16(self) -> bool:
        """Tensor cores take bfloat16 from compute capability 8.0 (Ampere) on."""
        return self.compute_capability >= 8.0


@cache
def gpus() -> tuple[Gpu, ...]:
    """The GPUs that this process may use; `CUDA_VISIBLE_DEVICES` is respected."""
    if shutil.which("nvidia-smi") is None:
        return ()
    form = "--format=csv,noheader,nounits"
    query = ["nvidia-smi", "--query-gpu=index,name,compute_cap,memory.total", form]
    answer = subprocess.run(query, capture_output=True, text=True, check=False)
    if answer.returncode != 0:
        return ()
    found = tuple(_parse(line) for line in answer.stdout.splitlines() if line.strip())
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        return found
    return tuple(gpu for gpu in found if gpu.index in visible.split(","))


def _parse(line: str) -> Gpu:
    index, name, capability, mebibytes = (part.strip() for part in line.split(","))
    return Gpu(index, name, float(capability), int(mebibytes) * 2**20)
