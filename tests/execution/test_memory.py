"""Memory that ran out is told from an error, a log and the kernel's counters."""

from __future__ import annotations

import errno

import pytest

from tlsearch.execution.memory import OomKills, is_out_of_memory, oom_files, tells_of_memory


class ResourceExhaustedError(Exception):
    """Called as TensorFlow's is."""


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
        ResourceExhaustedError("OOM when allocating tensor with shape[64,224,224,64]"),
        RuntimeError("RESOURCE_EXHAUSTED: Out of memory while trying to allocate 123 bytes."),
        RuntimeError("INTERNAL: CUDA_ERROR_OUT_OF_MEMORY"),
        RuntimeError("std::bad_alloc"),
        RuntimeError("Operation received an exception:Status: 1, message: could not create a"),
        RuntimeError("an exception:Status: 5, message: could not execute a primitive, in file"),
        RuntimeError("[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : bad allocation"),
    ],
    ids=lambda error: str(error)[:24],
)
def test_errors_of_memory(error):
    assert is_out_of_memory(error)


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        ValueError("shapes differ"),
        RuntimeError("Operation received an exception:Status: 3, message: not implemented"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_other_errors(error):
    assert not is_out_of_memory(error)


def test_real_allocations_that_fail_are_known():
    import numpy as np

    with pytest.raises(Exception) as caught:  # noqa: PT011
        np.empty(2**60, "uint8")
    assert is_out_of_memory(caught.value)


def test_last_words_of_c_plus_plus():
    assert tells_of_memory("terminate called after throwing an instance of 'std::bad_alloc'")
    assert not tells_of_memory("Segmentation fault")


def test_the_first_file_that_counts_is_read(tmp_path):
    absent, without, counting = (tmp_path / name for name in ("absent", "without", "counting"))
    without.write_text("low 0\nhigh 0\n")
    counting.write_text("oom 3\noom_kill 2\noom_group_kill 0\n")
    assert OomKills((absent, without, counting)).count() == 2
    assert OomKills((absent, without)).count() == 0


def test_the_files_of_this_process_control_groups(tmp_path):
    groups = tmp_path / "cgroup"
    groups.write_text("4:memory:/box/7\n3:cpuset:/\n0::/\n")
    files = [str(file) for file in oom_files(groups)]
    assert files == [
        "/sys/fs/cgroup/memory/box/7/memory.oom_control",
        "/sys/fs/cgroup/memory.events",
        "/proc/vmstat",
    ]
    assert [str(file) for file in oom_files(tmp_path / "absent")] == ["/proc/vmstat"]


def test_this_machine_can_be_asked():
    assert OomKills().count() >= 0
