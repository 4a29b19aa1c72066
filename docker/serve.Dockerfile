# syntax=docker/dockerfile:1
# What serves a bundle: onnxruntime and no TensorFlow, no MLflow, no Optuna.
#
#   docker build -f docker/serve.Dockerfile -t tlsearch-serve .
#   docker run --rm --stop-timeout 30 -p 8000:8000 -v "$PWD/bundle":/bundle:ro tlsearch-serve
#   docker run --rm -p 8000:8000 -e MLFLOW_TRACKING_URI=http://mlflow:5000 tlsearch-serve \
#       serve models:/flowers@champion --host 0.0.0.0
#
# For NVIDIA GPUs, `--build-arg DEVICE=gpu` starts from CUDA 13 and cuDNN 9, which onnxruntime-gpu
# 1.31 wants; run it with `--gpus all` and `serve /bundle --host 0.0.0.0 --provider cuda`.
ARG DEVICE=cpu

FROM python:3.11-slim-bookworm AS cpu

FROM nvidia/cuda:13.0.1-cudnn-runtime-ubuntu24.04 AS gpu
# Ubuntu drops old package versions from its archive: a pinned one would soon not be found.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends python3 python3-venv \
    && rm -rf /var/lib/apt/lists/*

# hadolint ignore=DL3006
FROM ${DEVICE} AS serve
ENV PYTHONUNBUFFERED=1 \
    PIP_CACHE_DIR=/var/cache/pip \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PATH=/opt/venv/bin:$PATH

WORKDIR /opt/tlsearch
RUN python3 -m venv /opt/venv
COPY pyproject.toml README.md LICENSE constraints.txt ./
COPY tlsearch ./tlsearch
COPY serving ./serving
RUN --mount=type=cache,target=/var/cache/pip \
    pip install -c constraints.txt .

# 10001, because Ubuntu's own image has a user 1000 already.
RUN useradd --create-home --uid 10001 tlsearch
USER 10001
WORKDIR /home/tlsearch

EXPOSE 8000
# Whoever asks for readiness, such as Kubernetes, asks /v2/health/ready.
HEALTHCHECK --start-period=60s CMD ["python3", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/v2/health/live', timeout=3)"]
ENTRYPOINT ["tlsearch"]
CMD ["serve", "/bundle", "--host", "0.0.0.0"]
