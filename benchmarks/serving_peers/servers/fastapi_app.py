"""What a user writes by hand: FastAPI on uvicorn, pixels as bytes in, no batches, no limits."""

from __future__ import annotations

from fastapi import FastAPI, Request, Response
from model import classify, open_model, to_image

app = FastAPI()
session = open_model()


@app.post("/classify")
async def answer(request: Request) -> Response:
    found = classify(session, to_image(await request.body())[None])
    return Response(found.tobytes(), media_type="application/octet-stream")
