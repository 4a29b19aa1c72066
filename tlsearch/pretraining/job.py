"""One pretraining in a worker: goes on where a checkpoint was left, ends with a weights file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tlsearch.config.pretraining import Pretraining
from tlsearch.data.dataset import Dataset, pixel_store
from tlsearch.execution.events import Started
from tlsearch.execution.executor import Channel
from tlsearch.paths import Paths
from tlsearch.pretraining.files import PretrainingFiles, PretrainingResult
from tlsearch.training.job import precision
from tlsearch.training.photos import photos

if TYPE_CHECKING:
    from tlsearch.pretraining.network import Pupil
    from tlsearch.pretraining.pictures import Pictures
    from tlsearch.pretraining.watch import Prober

PHOTO_MARGIN = 4 / 3
"""Photos are stored larger than the network sees them: a part that is cut out stays sharp."""


@dataclass(frozen=True)
class PretrainJob:
    """Everything that a worker needs to pretrain a backbone.

    Attributes:
        size: pixels a side that the network sees.
        photos: what is learned from; None where pictures are drawn.
        probe_photos: labelled photos to watch with; they are never learned from.
    """

    recipe: Pretraining
    paths: Paths
    size: int
    photos: Dataset | None
    probe_photos: Dataset | None
    trial: int = 0

    @property
    def files(self) -> PretrainingFiles:
        return PretrainingFiles(self.paths.pretraining(self.recipe.name))

    def run(self, channel: Channel) -> PretrainingResult:
        import keras

        keras.backend.clear_session()
        keras.utils.set_random_seed(self.recipe.seed)
        keras.config.set_dtype_policy(precision(self.recipe.train.precision))
        pictures = self._pictures()
        try:
            return self._learn(pictures, channel)
        finally:
            pictures.close()

    def _learn(self, pictures: Pictures, channel: Channel) -> PretrainingResult:
        from tlsearch.pretraining.batches import PretrainingBatches
        from tlsearch.pretraining.network import build_pupil
        from tlsearch.pretraining.watch import Watch

        files, epochs = self.files, self.recipe.train.epochs
        done = files.epochs_done()
        batches = PretrainingBatches(self.recipe, pictures, self.size, first_epoch=done)
        pupil = build_pupil(self.recipe, pictures.factors, epochs * batches.num_batches)
        if done:
            pupil.model.load_weights(files.checkpoint(done))
        channel.send(Started(self.trial, pupil.backbone.model.count_params(), 0))
        watch = Watch(files, channel, self._prober(pupil), epochs)
        if not done:
            watch.probe(0)
        if done < epochs:
            pupil.model.fit(
                batches,
                epochs=epochs,
                initial_epoch=done,
                callbacks=[watch],
                shuffle=False,
                verbose=0,
            )
        return self._finish(pupil, batches.pictures_per_epoch)

    def _finish(self, pupil: Pupil, per_epoch: int) -> PretrainingResult:
        done = self.files.epochs_done()
        complete = done >= self.recipe.train.epochs
        if complete:
            self.files.write_weights(pupil.backbone.model, self.recipe.output.dtype)
        return PretrainingResult(
            complete=complete,
            epochs=done,
            pictures=done * per_epoch,
            parameters=pupil.backbone.model.count_params(),
            probes=self.files.probes(),
        )

    def _pictures(self) -> Pictures:
        from tlsearch.pretraining.pictures import DrawnPictures, StoredPhotos

        if self.photos is None:
            return DrawnPictures(self.recipe.data.patterns, stored_size(self.recipe, self.size))
        pixels = pixel_store(self.paths, stored_size(self.recipe, self.size))
        labels = self.photos.labels_of("train")
        shown = photos(self.photos, "train", pixels)
        return StoredPhotos(shown, labels, len(self.photos.classes))

    def _prober(self, pupil: Pupil) -> Prober | None:
        from tlsearch.pretraining.watch import Prober

        probe, dataset = self.recipe.probe, self.probe_photos
        if probe is None or dataset is None:
            return None
        size = probe.image_size or self.size
        pixels = pixel_store(self.paths, size)
        return Prober(pupil.backbone, size, dataset, pixels, probe.every)


def stored_size(recipe: Pretraining, size: int) -> int:
    """Pixels a side at which pictures are kept before they are rendered at `size`."""
    turned_only = recipe.is_drawn and recipe.method == "supervised"
    return size if turned_only else round(size * PHOTO_MARGIN)
