"""LitServe: pixels as bytes in, ZeroMQ between its processes, as its documentation advises."""

# LitServe hands the annotation of `request` to FastAPI as it stands: it must not be a string.

import os
from typing import Annotated

import litserve as ls
import numpy as np
from fastapi import Body, Response
from model import PORT, classify, open_model, to_image

Pixels = Annotated[bytes, Body(media_type="application/octet-stream")]
BATCH = int(os.environ.get("BATCH", 1))


class Classifier(ls.LitAPI):
    def setup(self, device: str) -> None:
        self.session = open_model()

    def decode_request(self, request: Pixels) -> np.ndarray:
        return to_image(request)

    def predict(self, x: np.ndarray) -> np.ndarray:
        return classify(self.session, x if x.ndim == 4 else x[None])

    def encode_response(self, output: np.ndarray) -> Response:
        return Response(output.tobytes(), media_type="application/octet-stream")


if __name__ == "__main__":
    api = Classifier(max_batch_size=BATCH, batch_timeout=float(os.environ.get("WAIT", 0)))
    server = ls.LitServer(
        api,
        accelerator="cpu",
        workers_per_device=1,
        fast_queue=True,
    )
    server.run(
        host="127.0.0.1",
        port=PORT,
        num_api_servers=1,
        log_level="warning",
        generate_client_file=False,
        access_log=False,
    )
