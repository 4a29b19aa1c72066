"""Exporting one trained trial in a worker: calibrate, convert, compare, judge, write."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, final

import numpy as np

from tlsearch.execution.executor import Channel
from tlsearch.export.bundle import write_bundle
from tlsearch.export.calibration import Temperature
from tlsearch.export.contents import Candidate, Contents, Gain, Model
from tlsearch.export.golden import Golden
from tlsearch.export.keras_answers import ask_keras, calibrate
from tlsearch.export.manifest import LeftOut, Manifest
from tlsearch.export.parity import Parity, compare, hold
from tlsearch.export.runtime import answer, open_session
from tlsearch.export.samples import choose_samples, tolerance_of
from tlsearch.export.trial_job import TrialJob
from tlsearch.export.variants import Kept, Original, make_variant

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class ExportResult:
    """What came of an export.

    `parity` is None where an earlier start has made the bundle, `test` where the test split was
    left alone.
    """

    bundle: Path
    parity: Parity | None
    test: dict[str, float] | None
    manifest: Manifest


@final
@dataclass(frozen=True)
class ExportJob(TrialJob):
    """Everything that a worker needs to make a trial's bundle in `output`.

    Attributes:
        judge: read the test split, once, through the ONNX models: for the champion alone.
    """

    output: Path
    judge: bool
    mlflow_run: str | None = None

    def run(self, channel: Channel) -> ExportResult:
        network = self.load_model()
        temperature, expected = self._ask(network)
        original = self._convert(network)
        received = original.candidate.validation.probabilities
        parity = hold(expected, received, self.sweep.export.tolerance)
        made = self._make_variants(original)
        kept = [(one.candidate, one.gain) for one in made if isinstance(one, Kept)]
        candidates = [(original.candidate, None), *kept]
        golden = self._golden([candidate for candidate, _ in candidates])
        models = tuple(self._model(*one, golden, expected) for one in candidates)
        left_out = tuple(one for one in made if isinstance(one, LeftOut))
        contents = Contents(self, models, left_out, temperature, golden)
        manifest = write_bundle(contents, self.output)
        test = contents.test.metrics() if contents.test else None
        return ExportResult(self.output, parity, test, manifest)

    def _ask(self, network: keras.Model) -> tuple[Temperature | None, np.ndarray]:
        """What Keras answers on validation, calibrated if it is asked for."""
        photos = self.photos("validation")
        if not self.sweep.export.calibrate:
            return None, ask_keras(network, photos)
        calibrated = calibrate(network, photos, self.dataset.labels_of("validation"))
        return calibrated.temperature, calibrated.probabilities

    def _convert(self, network: keras.Model) -> Original:
        from tlsearch.backbones.convert import to_onnx

        model, validation = to_onnx(network), self.photos("validation")
        content = model.SerializeToString()
        answers = answer(open_session(content), validation)
        candidate = Candidate("fp32", content, self.evaluate(answers, "validation"))
        return Original(model, candidate, self.photos("train"), validation)

    def _make_variants(self, original: Original) -> list[Kept | LeftOut]:
        wanted = dict.fromkeys(self.sweep.export.variants)
        limit = self.sweep.export.max_accuracy_loss
        return [
            make_variant(original, precision, limit) for precision in wanted if precision != "fp32"
        ]

    def _golden(self, candidates: list[Candidate]) -> Golden:
        answers = [candidate.validation.probabilities for candidate in candidates]
        samples = choose_samples(answers)
        first, *others = (rows[samples] for rows in answers)
        names = [candidate.precision for candidate in candidates[1:]]
        images = self.photos("validation").take(samples)
        return Golden(images, first, dict(zip(names, others, strict=True)))

    def _model(
        self, candidate: Candidate, gain: Gain | None, golden: Golden, expected: np.ndarray
    ) -> Model:
        test = None
        if self.judge:
            answers = answer(open_session(candidate.content), self.photos("test"))
            test = self.evaluate(answers, "test")
        return Model(
            candidate=candidate,
            gain=gain,
            test=test,
            max_difference=compare(expected, candidate.validation.probabilities).max_difference,
            tolerance=tolerance_of(candidate.precision, candidate.content, golden.images),
        )
