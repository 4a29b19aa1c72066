"""ResNet10: tlsearch's own small backbone, whose weights come with the package.

Ten layers of residual blocks (He et al. 2016) with a pooled shortcut (He et al. 2019, "Bag of
Tricks", ResNet-D), narrow enough to be pretrained on a laptop's processor, and plain: on two cores
it trains four times as many photos a second as MobileNetV2 at alpha 0.35, whose depthwise
convolutions a processor runs badly.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras

STEM = 16
WIDTHS = (24, 48, 96, 160)
FEATURES = 512
_MOMENTUM = 0.95


def resnet10(
    input_shape: tuple[int, int, int], include_top: bool = False, weights: None = None
) -> keras.Model:
    """The network without a classifier, of random weights; arguments as in keras.applications.

    Maps RGB from -1 to 1, float32 `[batch, size, size, 3]`, to `[batch, size / 32, size / 32,
    512]`.
    """
    import keras

    if include_top or weights is not None:
        raise ValueError("resnet10 has no classifier and loads no weights itself")
    images = keras.Input(input_shape)
    x = _convolve(images, STEM, 3, "stem", strides=2)
    for stage, width in enumerate(WIDTHS, start=1):
        x = _residual(x, width, f"stage{stage}")
    return keras.Model(images, _convolve(x, FEATURES, 1, "features"), name="ResNet10")


def _residual(x: Any, width: int, name: str) -> Any:
    """Half the resolution, and `width` channels."""
    from keras import layers

    main = _convolve(x, width, 3, f"{name}_1", strides=2)
    main = _convolve(main, width, 3, f"{name}_2", activate=False)
    short = layers.AveragePooling2D(2, padding="same", name=f"{name}_pool")(x)
    short = _convolve(short, width, 1, f"{name}_shortcut", activate=False)
    joined = layers.Add(name=f"{name}_add")([main, short])
    return layers.ReLU(name=f"{name}_out")(joined)


def _convolve(
    x: Any, width: int, kernel: int, name: str, *, strides: int = 1, activate: bool = True
) -> Any:
    """Convolution, batch normalisation, and a ReLU."""
    from keras import layers

    x = layers.Conv2D(
        width, kernel, strides=strides, padding="same", use_bias=False, name=f"{name}_conv"
    )(x)
    x = layers.BatchNormalization(momentum=_MOMENTUM, name=f"{name}_norm")(x)
    return layers.ReLU(name=f"{name}_relu")(x) if activate else x
