# The packages of a box, so that it does not install them anew; cloud/run.sh clones the code itself.
#   docker build -t finetune-box .                       for a GPU
#   docker build -t finetune-box --target cpu --build-arg TORCH_INDEX=URL .
#   docker run --gpus all -e REPO=URL -e REV=COMMIT -e GIT_TOKEN -e HF_TOKEN finetune-box \
#     NAME -S experiment=samsum-llama-1b
# torch's CUDA build brings the CUDA libraries: of the machine it needs the driver alone. Linted, not built.
ARG PYTHON=python:3.11.14-slim-bookworm@sha256:65a93d69fa75478d554f4ad27c85c1e69fa184956261b4301ebaf6dbb0a3543d

FROM ${PYTHON} AS tools
SHELL ["/bin/bash", "-euo", "pipefail", "-c"]
# gcc is for triton, which compiles its launchers. Debian keeps one version of each of these.
# hadolint ignore=DL3008
RUN apt-get update -qq \
    && apt-get install -y -qq --no-install-recommends gcc git libc6-dev libgomp1 make openssh-client \
    && rm -rf /var/lib/apt/lists/*
RUN useradd --create-home --uid 1000 finetune && install -d -o 1000 /opt/venv /opt/packages
USER 1000
WORKDIR /opt/packages
COPY --chown=1000 requirements*.txt constraints.txt ./
# The project itself is not of the image: `make setup` in the clone adds it, and what has changed since.
RUN sed '/^-e /d' requirements.txt > packages.txt && python -m venv /opt/venv

FROM tools AS cpu
# The index of torch's CPU builds, which its page of installation names; without it the CUDA build comes.
ARG TORCH_INDEX=""
RUN if [ -n "$TORCH_INDEX" ]; then \
      /opt/venv/bin/pip install --no-cache-dir --index-url "$TORCH_INDEX" \
        "$(grep ^torch== requirements.txt)"; \
    fi \
    && /opt/venv/bin/pip install --no-cache-dir -r packages.txt
COPY --chown=1000 cloud/run.sh /opt/run.sh
ENV VENV=/opt/venv
WORKDIR /home/finetune
ENTRYPOINT ["bash", "/opt/run.sh"]

# The last one is what is built by default.
FROM tools AS cuda
RUN /opt/venv/bin/pip install --no-cache-dir -r packages.txt -r requirements-gpu.txt
COPY --chown=1000 cloud/run.sh /opt/run.sh
ENV VENV=/opt/venv NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility
WORKDIR /home/finetune
ENTRYPOINT ["bash", "/opt/run.sh"]
