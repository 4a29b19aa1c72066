"""MLServer: its V2 protocol over REST, the pixels as one base64 string; batches by itself."""

from __future__ import annotations

import numpy as np
from mlserver import MLModel
from mlserver.codecs import Base64Codec, NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse
from model import classify, open_model, to_image


class Classifier(MLModel):
    async def load(self) -> bool:
        self.session = open_model()
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        images = np.stack([to_image(one) for one in Base64Codec.decode_input(payload.inputs[0])])
        output = NumpyCodec.encode_output("probabilities", classify(self.session, images))
        return InferenceResponse(model_name=self.name, outputs=[output])
