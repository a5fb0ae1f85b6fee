# The app as `make app` starts it, with the embedded model and the example already built.
#
#   docker build -t fnprune .                            CPU
#   docker build -t fnprune --build-arg DEVICE=cuda .    NVIDIA GPUs; run with --gpus all
#   docker run --init -p 127.0.0.1:8501:8501 -v fnprune:/workspace fnprune
#
# The server inside listens to everyone, and so asks for the token in the link that it prints; set
# your own with -e FNPRUNE_TOKEN=… . Docs: docs/serving.md.
#
# Behind a mirror: --build-arg PIP_INDEX_URL=… and, for the CPU build of torch, TORCH_CPU_INDEX=…
FROM python:3.11-slim

ARG DEVICE=cpu
ARG TORCH_CPU_INDEX=https://download.pytorch.org/whl/cpu
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL

ENV PYTHONUNBUFFERED=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    FNPRUNE_CACHE=/opt/fnprune/cache \
    FNPRUNE_WORKSPACE=/workspace \
    STREAMLIT_SERVER_ADDRESS=0.0.0.0

RUN useradd --create-home --uid 1000 fnprune \
    && install --directory --owner=fnprune --group=fnprune /opt/fnprune/cache /workspace
WORKDIR /opt/fnprune/app

# Slowest and least often changed first: the packages, then the model, then our code.
COPY requirements.txt ./
RUN case "$DEVICE" in \
        cpu) pip install --index-url "$TORCH_CPU_INDEX" "$(grep '^torch' requirements.txt)" ;; \
        cuda) ;; \
        *) echo "DEVICE is '$DEVICE', expected cpu or cuda" >&2; exit 1 ;; \
    esac \
    && pip install --requirement requirements.txt

COPY fnprune_core/__init__.py fnprune_core/errors.py fnprune_core/progress.py fnprune_core/
COPY fnprune_core/inputs/ fnprune_core/inputs/
COPY fnprune_core/storage/ fnprune_core/storage/
COPY fnprune_core/models/__init__.py fnprune_core/models/embedded.py fnprune_core/models/
USER fnprune
RUN python -c "from fnprune_core.models.embedded import embedded_model_folder; embedded_model_folder()"

USER root
COPY . .
RUN pip install --no-deps --editable .
USER fnprune
RUN python -m fnprune_core example && python -m app.start.ahead
# A named volume starts with the example; an empty folder mounted here gets it on the first start.
VOLUME /workspace

EXPOSE 8501
# From inside alone: the one address that answers without the token.
HEALTHCHECK --interval=30s --timeout=5s --start-period=10m --retries=3 \
    CMD ["python", "-c", "from urllib.request import ProxyHandler, build_opener; build_opener(ProxyHandler({})).open('http://127.0.0.1:8501/_stcore/health', timeout=4)"]
CMD ["sh", "-c", "python -m fnprune_core example && python -m app.start.ahead && exec python -m streamlit run app/main.py"]
