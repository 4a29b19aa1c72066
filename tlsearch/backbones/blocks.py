"""The blocks of each family, from input to output, by the rule that the family was built with.

A block is what the network's authors repeat: VGG a pooled stage, ResNet and ConvNeXt a residual
block, DenseNet a dense block with its transition, Inception a `mixed` or residual module, Xception
a module, MobileNet and EfficientNet a (separable or inverted-residual) block. Each is named after
the operation that ends it, and everything the network knows passes through that one tensor.

Two choices need their reason. The stem belongs to the first block and the closing convolution,
normalisation or activation is in the last one, or is a block of its own where it is as heavy as
one (MobileNetV2, EfficientNet): nobody unfreezes a lone activation. DenseNet is cut after its
transitions and not within dense blocks, because a tensor inside a dense block is up to eight times
larger. NASNet is one block: its cells read the two cells before them, so that between its stem and
its last cell there is no single tensor to cut at; it can be frozen or trained, nothing in between.

Keras gives some operations running numbers that depend on what was built before. Where such an
operation ends a block, the name here is the one that `build` gives it (see `Row.unnamed`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from string import ascii_lowercase

Blocks = tuple[str, ...]


def vgg() -> Blocks:
    return tuple(f"block{stage}_pool" for stage in range(1, 6))


def xception() -> Blocks:
    return (*(f"block{module}_add" for module in range(2, 14)), "block14_sepconv2_act")


def resnet(repeats: Sequence[int], last: str | None = None) -> Blocks:
    """`repeats` residual blocks in each stage; `last` renames the end (ResNetV2's `post_relu`)."""
    ends = [f"conv{s}_block{b}_out" for s, b in _numbered(repeats, first_stage=2, first_block=1)]
    return tuple(ends) if last is None else (*ends[:-1], last)


def convnext(repeats: Sequence[int]) -> Blocks:
    ends = [f"stage{s}_block{b}_add" for s, b in _numbered(repeats, first_stage=0, first_block=0)]
    return (*ends[:-1], "top_normalization")


def densenet() -> Blocks:
    return ("pool2_pool", "pool3_pool", "pool4_pool", "relu")


def nasnet() -> Blocks:
    return ("top_activation",)


def inception_v3() -> Blocks:
    return tuple(f"mixed{module}" for module in range(11))


def inception_resnet_v2() -> Blocks:
    """The tenth `block8` has no activation that could name it, and ends with the last block."""
    return (
        "mixed_5b",
        *(f"block35_{module}_ac" for module in range(1, 11)),
        "mixed_6a",
        *(f"block17_{module}_ac" for module in range(1, 21)),
        "mixed_7a",
        *(f"block8_{module}_ac" for module in range(1, 10)),
        "conv_7b_ac",
    )


def mobilenet() -> Blocks:
    return tuple(f"conv_pw_{block}_relu" for block in range(1, 14))


def mobilenet_v2() -> Blocks:
    residual = {2, 4, 5, 7, 8, 9, 11, 12, 14, 15}
    ends = (f"block_{b}_{'add' if b in residual else 'project_BN'}" for b in range(1, 17))
    return ("expanded_conv_project_BN", *ends, "out_relu")


def mobilenet_v3(blocks: int, residual: Iterable[int]) -> Blocks:
    """`blocks` inverted residuals, of which those in `residual` end in an addition."""
    adding = set(residual)
    ends = (
        f"expanded_conv{f'_{b}' if b else ''}_{'add' if b in adding else 'project_bn'}"
        for b in range(blocks)
    )
    return (*ends, "top_activation")


def efficientnet(repeats: Sequence[int], first: str = "project_bn") -> Blocks:
    """Stages of `repeats` blocks; the first of a stage changes the shape and so adds nothing.

    `first` is how `block1a` ends: `add` where the stem has as many channels as the first stage.
    """
    ends = (
        f"block{s}{ascii_lowercase[b]}_{'add' if b else 'project_bn'}"
        for s, b in _numbered(repeats, first_stage=1, first_block=0)
    )
    return (f"block1a_{first}", *list(ends)[1:], "top_activation")


def _numbered(
    repeats: Sequence[int], first_stage: int, first_block: int
) -> Iterable[tuple[int, int]]:
    for stage, count in enumerate(repeats, first_stage):
        for block in range(first_block, first_block + count):
            yield stage, block
