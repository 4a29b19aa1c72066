"""BentoML: pixels as bytes in (a root input), one worker."""

from __future__ import annotations

from typing import Annotated

import bentoml
from model import classify, open_model, to_image

Floats = Annotated[bytes, bentoml.validators.ContentType("application/octet-stream")]


@bentoml.service(
    workers=1,
    traffic={"timeout": 30},
    logging={"access": {"enabled": False}},
    metrics={"enabled": True},
)
class Classifier:
    def __init__(self) -> None:
        self.session = open_model()

    @bentoml.api(route="/classify")
    async def classify(self, pixels: bytes, /) -> Floats:
        return classify(self.session, to_image(pixels)[None]).tobytes()
