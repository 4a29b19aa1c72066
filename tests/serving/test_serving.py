from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path

import serving

IMPORT = """
import sys, serving
heavy = {"tensorflow", "keras", "mlflow", "optuna", "pandas", "matplotlib", "ruamel"}
print(sorted(heavy & sys.modules.keys()))
"""


def test_the_public_door():
    assert serving.__all__ == ["Bundle", "Engine", "Prediction"]
    public = {
        name
        for name, value in vars(serving).items()
        if not name.startswith("_") and not inspect.ismodule(value)
    }
    assert public == set(serving.__all__)


def test_import_is_light():
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", IMPORT], capture_output=True, text=True, cwd=root)
    assert (done.stdout.strip(), done.returncode) == ("[]", 0), done.stderr
