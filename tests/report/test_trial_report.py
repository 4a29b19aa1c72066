"""The files of a trial's report, read back."""

from __future__ import annotations

import numpy as np
import pandas as pd
from PIL import Image

from tlsearch.report.evaluation import Evaluation
from tlsearch.report.trial_report import write_trial_report

HISTORY = pd.DataFrame(
    {"epoch": [1, 2], "loss": [1, 0.5], "val_loss": [1, 0.6], "accuracy": [0.5, 0.8]}
)


def test_the_files_can_be_read_back(tmp_path):
    random = np.random.default_rng(0)
    probabilities = random.dirichlet(np.ones(3), 60).astype(np.float32)
    evaluation = Evaluation(probabilities, random.integers(0, 3, 60), ("a", "b", "c"))
    photos = random.integers(0, 255, (4, 32, 32, 3), dtype=np.uint8)

    paths = write_trial_report(tmp_path / "report", HISTORY, evaluation, photos)

    assert sorted(path.name for path in paths) == [
        "confusion_matrix.csv",
        "confusion_matrix.png",
        "learning_curves.png",
        "per_class.csv",
        "per_class.png",
        "worst_mistakes.jpg",
    ]
    matrix = pd.read_csv(tmp_path / "report" / "confusion_matrix.csv", index_col="true")
    assert (matrix.to_numpy() == evaluation.confusion).all()
    assert matrix.columns.tolist() == ["a", "b", "c"]
    table = pd.read_csv(tmp_path / "report" / "per_class.csv")
    assert table["photos"].sum() == 60
    for path in paths:
        if path.suffix != ".csv":
            with Image.open(path) as picture:
                picture.load()
                assert picture.width > 400
