"""The loss of SimCLR."""

from __future__ import annotations

from typing import Any

import keras


class NTXent(keras.losses.Loss):
    """Normalised temperature-scaled cross entropy (Chen et al. 2020, equation 1).

    Rows 2 i and 2 i + 1 of the predictions [2 n, d] are the projections of two views of one photo:
    each has to find the other among all others of the batch. The targets are not looked at.
    """

    def __init__(self, temperature: float) -> None:
        super().__init__(name="nt_xent", reduction="sum_over_batch_size", dtype="float32")
        self.temperature = temperature

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The loss of each row, [2 n]."""
        ops = keras.ops
        projections = ops.normalize(y_pred, axis=-1)
        count = ops.shape(projections)[0]
        similarity = ops.matmul(projections, ops.transpose(projections)) / self.temperature
        similarity -= 1e9 * ops.eye(count, dtype=similarity.dtype)  # Nobody is his own partner.
        rows = ops.arange(count)
        partners = rows + 1 - 2 * (rows % 2)
        return keras.losses.sparse_categorical_crossentropy(partners, similarity, from_logits=True)
