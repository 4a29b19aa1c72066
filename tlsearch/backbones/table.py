"""The table of backbones: every network that keras.applications publishes ImageNet weights for,
and ResNet10, whose weights come with tlsearch.

Pure data: nothing heavy is imported. How a network is built and its weights are read lies in
`build.py` and `weights.py`; the rules behind the names of the blocks are in `blocks.py`.
ImageNet top-1 figures are those of https://keras.io/api/applications/, for MobileNetV3 (which that
table leaves out) those of its page there, all at alpha 1 and the default image size.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from tlsearch.backbones import blocks
from tlsearch.errors import UsageError

Preprocessing = Literal["minus_one_to_one", "bgr_minus_mean", "mean_and_deviation", "in_graph"]

_STORE = "https://storage.googleapis.com/tensorflow/keras-applications"
_ORDERED = "_weights_tf_dim_ordering_tf_kernels_notop.h5"


@dataclass(frozen=True)
class Row:
    """One network.

    `preprocessing` says what is done to RGB 0..255 before the network. `blocks` are the names of
    the operations that end its blocks, from input to output. `parameters` counts the network
    without its classifier at alpha 1. `weights` is what a backbone gets that names none: `imagenet`
    from `weights_address`, which like `weights_file` holds `{alpha}` and `{size}` where there is a
    file for each, or `builtin`, a file of the package. `top1` is None where nothing was published
    or the network never saw ImageNet. `unnamed` is the class of the operations that end
    blocks and that keras leaves without a fixed name.
    """

    name: str
    family: str
    preprocessing: Preprocessing
    blocks: tuple[str, ...]
    parameters: int
    top1: float | None
    weights_file: str
    weights_address: str | None
    image_size: int = 224
    smallest: int = 32
    alphas: tuple[float, ...] = ()
    published_sizes: tuple[int, ...] = ()
    unnamed: str | None = None
    weights: Literal["imagenet", "builtin"] = "imagenet"

    @property
    def factory(self) -> str:
        """What builds it."""
        own = self.weights == "builtin"
        return "tlsearch.backbones.resnet10.resnet10" if own else f"keras.applications.{self.name}"


def _row(name: str, family: str, preprocessing: Preprocessing, weights: str, /, **rest: Any) -> Row:
    """`weights` is the file with its folder in the store of keras.applications."""
    return Row(
        name=name,
        family=family,
        preprocessing=preprocessing,
        weights_file=weights.rpartition("/")[2],
        weights_address=f"{_STORE}/{weights}",
        **rest,
    )


def _classic() -> Iterator[Row]:
    yield _row(
        "Xception",
        "Xception",
        "minus_one_to_one",
        f"xception/xception{_ORDERED}",
        blocks=blocks.xception(),
        parameters=20_861_480,
        top1=79.0,
        image_size=299,
        smallest=71,
        unnamed="Add",
    )
    for name, parameters in (("VGG16", 14_714_688), ("VGG19", 20_024_384)):
        yield _row(
            name,
            "VGG",
            "bgr_minus_mean",
            f"{name.lower()}/{name.lower()}{_ORDERED}",
            blocks=blocks.vgg(),
            parameters=parameters,
            top1=71.3,
        )


def _resnets() -> Iterator[Row]:
    for depth, repeats, parameters, top1 in (
        (50, (3, 4, 6, 3), (23_587_712, 23_564_800), (74.9, 76.0)),
        (101, (3, 4, 23, 3), (42_658_176, 42_626_560), (76.4, 77.2)),
        (152, (3, 8, 36, 3), (58_370_944, 58_331_648), (76.6, 78.0)),
    ):
        yield _row(
            f"ResNet{depth}",
            "ResNet",
            "bgr_minus_mean",
            f"resnet/resnet{depth}{_ORDERED}",
            blocks=blocks.resnet(repeats),
            parameters=parameters[0],
            top1=top1[0],
        )
        yield _row(
            f"ResNet{depth}V2",
            "ResNetV2",
            "minus_one_to_one",
            f"resnet/resnet{depth}v2{_ORDERED}",
            blocks=blocks.resnet(repeats, last="post_relu"),
            parameters=parameters[1],
            top1=top1[1],
        )


def _inceptions() -> Iterator[Row]:
    yield _row(
        "InceptionV3",
        "Inception",
        "minus_one_to_one",
        f"inception_v3/inception_v3{_ORDERED}",
        blocks=blocks.inception_v3(),
        parameters=21_802_784,
        top1=77.9,
        image_size=299,
        smallest=75,
    )
    yield _row(
        "InceptionResNetV2",
        "Inception",
        "minus_one_to_one",
        f"inception_resnet_v2/inception_resnet_v2{_ORDERED}",
        blocks=blocks.inception_resnet_v2(),
        parameters=54_336_736,
        top1=80.3,
        image_size=299,
        smallest=75,
    )


def _mobilenets() -> Iterator[Row]:
    yield _row(
        "MobileNet",
        "MobileNet",
        "minus_one_to_one",
        "mobilenet/mobilenet_{alpha}_{size}_tf_no_top.h5",
        blocks=blocks.mobilenet(),
        parameters=3_228_864,
        top1=70.4,
        alphas=(0.25, 0.5, 0.75, 1.0),
        published_sizes=(128, 160, 192, 224),
    )
    yield _row(
        "MobileNetV2",
        "MobileNetV2",
        "minus_one_to_one",
        "mobilenet_v2/mobilenet_v2_weights_tf_dim_ordering_tf_kernels_{alpha}_{size}_no_top.h5",
        blocks=blocks.mobilenet_v2(),
        parameters=2_257_984,
        top1=71.3,
        alphas=(0.35, 0.5, 0.75, 1.0, 1.3, 1.4),
        published_sizes=(96, 128, 160, 192, 224),
    )
    for size, count, residual, parameters, top1 in (
        ("Small", 11, (2, 4, 5, 7, 9, 10), 939_120, 68.1),
        ("Large", 15, (0, 2, 4, 5, 7, 8, 9, 11, 13, 14), 2_996_352, 75.6),
    ):
        yield _row(
            f"MobileNetV3{size}",
            "MobileNetV3",
            "in_graph",
            "mobilenet_v3/weights_mobilenet_v3_" + size.lower() + "_224_{alpha}_float_no_top_v2.h5",
            blocks=blocks.mobilenet_v3(count, residual),
            parameters=parameters,
            top1=top1,
            alphas=(0.75, 1.0),
        )


def _densenets() -> Iterator[Row]:
    for depth, parameters, top1 in (
        (121, 7_037_504, 75.0),
        (169, 12_642_880, 76.2),
        (201, 18_321_984, 77.3),
    ):
        yield _row(
            f"DenseNet{depth}",
            "DenseNet",
            "mean_and_deviation",
            f"densenet/densenet{depth}{_ORDERED}",
            blocks=blocks.densenet(),
            parameters=parameters,
            top1=top1,
        )


def _nasnets() -> Iterator[Row]:
    for size, image_size, parameters, top1 in (
        ("Mobile", 224, 4_269_716, 74.4),
        ("Large", 331, 84_916_818, 82.5),
    ):
        yield Row(
            name=f"NASNet{size}",
            family="NASNet",
            preprocessing="minus_one_to_one",
            blocks=blocks.nasnet(),
            parameters=parameters,
            top1=top1,
            weights_file=f"nasnet_{size.lower()}_no_top.h5",
            weights_address=f"{_STORE}/nasnet/NASNet-{size.lower()}-no-top.h5",
            image_size=image_size,
        )


def _efficientnets() -> Iterator[Row]:
    for index, (image_size, repeats, parameters, top1) in enumerate(
        (
            (224, (1, 2, 2, 3, 3, 4, 1), 4_049_571, 77.1),
            (240, (2, 3, 3, 4, 4, 5, 2), 6_575_239, 79.1),
            (260, (2, 3, 3, 4, 4, 5, 2), 7_768_569, 80.1),
            (300, (2, 3, 3, 5, 5, 6, 2), 10_783_535, 81.6),
            (380, (2, 4, 4, 6, 6, 8, 2), 17_673_823, 82.9),
            (456, (3, 5, 5, 7, 7, 9, 3), 28_513_527, 83.6),
            (528, (3, 6, 6, 8, 8, 11, 3), 40_960_143, 84.0),
            (600, (4, 7, 7, 10, 10, 13, 4), 64_097_687, 84.3),
        )
    ):
        file = f"efficientnetb{index}_notop.h5"
        yield Row(
            name=f"EfficientNetB{index}",
            family="EfficientNet",
            preprocessing="in_graph",
            blocks=blocks.efficientnet(repeats),
            parameters=parameters,
            top1=top1,
            weights_file=file,
            weights_address=f"https://storage.googleapis.com/keras-applications/{file}",
            image_size=image_size,
        )


def _efficientnets_v2() -> Iterator[Row]:
    fused = "project_activation"
    for size, image_size, repeats, first, parameters, top1 in (
        ("B0", 224, (1, 2, 2, 3, 5, 8), fused, 5_919_312, 78.7),
        ("B1", 240, (2, 3, 3, 4, 6, 9), fused, 6_931_124, 79.8),
        ("B2", 260, (2, 3, 3, 4, 6, 10), fused, 8_769_374, 80.5),
        ("B3", 300, (2, 3, 3, 5, 7, 12), fused, 12_930_622, 82.0),
        ("S", 384, (2, 4, 4, 6, 9, 15), "add", 20_331_360, 83.9),
        ("M", 480, (3, 5, 5, 7, 14, 18, 5), "add", 53_150_388, 85.3),
        ("L", 480, (4, 7, 7, 10, 19, 25, 7), "add", 117_746_848, 85.7),
    ):
        yield _row(
            f"EfficientNetV2{size}",
            "EfficientNetV2",
            "in_graph",
            f"efficientnet_v2/efficientnetv2-{size.lower()}_notop.h5",
            blocks=blocks.efficientnet(repeats, first),
            parameters=parameters,
            top1=top1,
            image_size=image_size,
        )


def _convnexts() -> Iterator[Row]:
    for size, third, parameters, top1 in (
        ("Tiny", 9, 27_820_128, 81.3),
        ("Small", 27, 49_454_688, 82.3),
        ("Base", 27, 87_566_464, 85.3),
        ("Large", 27, 196_230_336, 86.3),
        ("XLarge", 27, 348_147_968, 86.7),
    ):
        yield _row(
            f"ConvNeXt{size}",
            "ConvNeXt",
            "in_graph",
            f"convnext/convnext_{size.lower()}_notop.h5",
            blocks=blocks.convnext((3, 3, third, 3)),
            parameters=parameters,
            top1=top1,
            unnamed="Add",
        )


def _own() -> Iterator[Row]:
    yield Row(
        name="ResNet10",
        family="ResNet10",
        preprocessing="minus_one_to_one",
        blocks=("stage1_out", "stage2_out", "stage3_out", "features_relu"),
        parameters=642_704,
        top1=None,
        weights="builtin",
        weights_file="resnet10.weights.h5",
        weights_address=None,
        image_size=96,
    )


def _all() -> Iterator[Row]:
    for family in (
        _own,
        _classic,
        _resnets,
        _inceptions,
        _mobilenets,
        _densenets,
        _nasnets,
        _efficientnets,
        _efficientnets_v2,
        _convnexts,
    ):
        yield from family()


BACKBONES: Mapping[str, Row] = {row.name: row for row in _all()}


def find(name: str) -> Row:
    """The row of a network.

    Raises:
        UsageError: the table has no such name.
    """
    if name in BACKBONES:
        return BACKBONES[name]
    alike = {known.lower(): known for known in BACKBONES}
    close = difflib.get_close_matches(name.lower(), alike, n=1)
    suggestion = f"did you mean {alike[close[0]]}? " if close else ""
    raise UsageError(
        "there is no backbone of this name",
        received=name,
        expected="a name of the table, a .keras file, or kerashub:PRESET",
        hint=f"{suggestion}`tlsearch backbones` lists them all",
    )


def default_image_size(name: str) -> int:
    """The size that a backbone was trained at, in pixels a side.

    Raises:
        UsageError: it is not in the table, so whoever names it has to say.
    """
    if name in BACKBONES:
        return BACKBONES[name].image_size
    raise UsageError(
        f"the image size of {name} is not known",
        expected="an image_size in the sweep file or recipe",
        hint="space.image_size=224 for a sweep, image_size=224 for a recipe",
    )


def rows() -> list[dict[str, Any]]:
    """The table as plain values, ready for JSON."""
    return [{**asdict(row), "factory": row.factory} for row in BACKBONES.values()]
