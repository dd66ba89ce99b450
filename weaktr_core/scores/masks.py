"""How good is a segmentation network? Masks answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import Tensor
from tqdm.auto import tqdm

from weaktr_core.data.batches import same_size_batches
from weaktr_core.data.sample import DataError, TaggedDataset
from weaktr_core.data.transforms import resize_short_side
from weaktr_core.labels.crf import CrfSettings, crf_on_probabilities
from weaktr_core.labels.files import write_mask
from weaktr_core.labels.views import View
from weaktr_core.labels.windows import predict
from weaktr_core.networks.segmenter import Segmenter, ensemble
from weaktr_core.runtime import gather, log, own_share
from weaktr_core.scores.metrics import ConfusionMatrix
from weaktr_core.scores.tables import iou_table


@dataclass(frozen=True)
class SegScores:
    """Pixel counts of a segmentation network on a dataset.

    Attributes:
        matrix: confusion matrix, background first.
        classes: the K class names, background not among them.
    """

    matrix: ConfusionMatrix
    classes: tuple[str, ...]

    @property
    def miou(self) -> float:
        """Mean over the classes that occur, background among them."""
        return self.matrix.miou

    @property
    def pixel_accuracy(self) -> float:
        """Share of the labelled pixels that are right."""
        counts = self.matrix.counts
        return float(np.trace(counts) / counts.sum())

    def as_json(self) -> dict:
        """All scores as fractions."""
        named = zip(["background", *self.classes], self.matrix.iou, strict=True)
        return dict(
            miou=self.miou,
            pixel_accuracy=self.pixel_accuracy,
            iou={name: float(v) for name, v in named if not np.isnan(v)},
        )

    def as_text(self) -> str:
        """A table for a terminal: mIoU, pixel accuracy, then each class."""
        lines = [f"mIoU {100 * self.miou:.1f} %"]
        lines.append(f"pixel accuracy {100 * self.pixel_accuracy:.1f} %")
        return "\n".join([*lines, iou_table(self.classes, self.matrix.iou)])


def evaluate_segmenter(
    model: Segmenter,
    dataset: TaggedDataset,
    *,
    views: Sequence[View] = (View(),),
    short_side: int | None = None,
    window: int = 480,
    stride: int = 320,
    use_ensemble: bool = False,
    crf: CrfSettings | None = None,
    folder: Path | None = None,
    batch_size: int = 1,
    progress: bool = True,
) -> SegScores | None:
    """Predict every image, write the masks if asked to, and score where masks are.

    Several processes share the images, each image once, and all get all scores.

    Args:
        model: put in eval mode and back.
        dataset: images; those without a mask are predicted but not scored.
        views: ratios and flips whose probabilities are averaged.
        short_side: of the image at ratio 1, pixels; None keeps its size.
        window, stride: of the sliding windows, pixels.
        use_ensemble: add 0.8 times what the first decoder block says, as the official
            evaluation does without saying so.
        crf: refine the probabilities by the photo.
        folder: receives palette PNGs ``NAME.png`` if given.
        batch_size: images of one size that go through together.
        progress: show a bar.

    Returns:
        Scores; None where no mask shows a class.

    Raises:
        DataError: where the dataset has no image at all.
    """
    if not len(dataset):
        raise DataError("no images to evaluate: the split is empty")
    network = averaged_blocks(model) if use_ensemble else model
    matrix = ConfusionMatrix(len(dataset.classes) + 1)
    was_training = model.training
    model.eval()
    numbers = own_share(len(dataset))
    bar = tqdm(total=len(numbers), desc="evaluate", unit="image", disable=not progress)
    for batch in same_size_batches(dataset, batch_size, numbers):
        images = [resize_short_side(sample.image, short_side) for _, sample in batch]
        size = batch[0][1].image.shape[:2]
        tensor = model.prepare(images)
        found = predict(network, tensor, size, views=views, window=window, stride=stride)
        for (_, sample), probability in zip(batch, found.cpu().numpy(), strict=True):
            if crf is not None:
                probability = crf_on_probabilities(sample.image, probability, crf)
            labels = probability.argmax(axis=0).astype(np.uint8)
            if folder is not None:
                write_mask(folder / f"{sample.name}.png", labels)
            if sample.mask is not None:
                matrix.update(sample.mask, labels)
        bar.update(len(batch))
    bar.close()
    model.train(was_training)
    matrix.counts = np.sum(gather(matrix.counts), axis=0)
    if matrix.counts.any() and not matrix.informed:
        log.warning("the masks hold no pixel of any class: nothing is measured")
    return SegScores(matrix, dataset.classes) if matrix.informed else None


def averaged_blocks(model: Segmenter) -> Callable[[Tensor], Tensor]:
    """A network whose logits are the log of the ensemble's probabilities."""
    return lambda images: ensemble(model.block_logits(images)).clamp(min=1e-8).log()
