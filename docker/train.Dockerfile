# syntax=docker/dockerfile:1
# The trainer: everything `tlsearch run` needs, with or without an NVIDIA GPU.
#
#   docker build -f docker/train.Dockerfile -t tlsearch-train .
#   docker run --rm --gpus all -v "$PWD":/home/tlsearch/project tlsearch-train run sweeps/quickstart.yaml
#
# TensorFlow's wheels bring CUDA 12 and cuDNN along; the host provides the driver and the NVIDIA
# container toolkit. onnxruntime-gpu wants CUDA 13, so in this image it runs on the CPU, which is
# what the export's comparison with Keras uses. For servers there is serve.Dockerfile.
FROM python:3.11-slim-bookworm

# EXTRA=train leaves the CUDA libraries out: several GB less where there is no GPU.
ARG EXTRA=train-gpu

ENV PYTHONUNBUFFERED=1 \
    PIP_CACHE_DIR=/var/cache/pip \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    TF_CPP_MIN_LOG_LEVEL=2 \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility

WORKDIR /opt/tlsearch
COPY pyproject.toml README.md LICENSE constraints.txt ./
COPY tlsearch ./tlsearch
COPY serving ./serving
RUN --mount=type=cache,target=/var/cache/pip \
    pip install -c constraints.txt ".[${EXTRA}]"

RUN useradd --create-home --uid 1000 tlsearch \
    && install -d -o tlsearch -g tlsearch /home/tlsearch/project
USER 1000
WORKDIR /home/tlsearch/project

# State lands in the mounted folder, .tlsearch by default: a new container continues the sweep.
ENTRYPOINT ["tlsearch"]
CMD ["--help"]
