"""Ray Serve: pixels as bytes in, one replica."""

from __future__ import annotations

import os
import time

import ray
from model import PORT, classify, open_model, to_image
from ray import serve
from starlette.requests import Request
from starlette.responses import Response


@serve.deployment(num_replicas=1, max_ongoing_requests=128, ray_actor_options={"num_cpus": 1})
class Classifier:
    def __init__(self) -> None:
        self.session = open_model()

    async def __call__(self, request: Request) -> Response:
        found = classify(self.session, to_image(await request.body())[None])
        return Response(found.tobytes(), media_type="application/octet-stream")


if __name__ == "__main__":
    ray.init(
        address="local", num_cpus=2, include_dashboard=False, _temp_dir=os.environ["RAY_FOLDER"]
    )
    serve.start(http_options={"host": "127.0.0.1", "port": PORT})
    serve.run(Classifier.bind(), route_prefix="/")
    while True:
        time.sleep(3600)
