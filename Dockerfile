# The sidecar: the base install, without the control extra. Build at the root of the tree:
#   docker build --tag mca-sidecar .
# Dockerfile.control makes the image of the control plane.
# tests/node/product.py makes the same without Docker.
FROM python:3.11-slim-bookworm AS build
COPY requirements/sidecar.lock /src/
RUN pip install --no-cache-dir --no-deps --only-binary=:all: --require-hashes \
      --requirement /src/sidecar.lock --target /opt/mca
COPY sidecar /opt/mca/sidecar
COPY webhook /opt/mca/webhook
# Where the root is read-only, what is not compiled here is compiled at each start.
RUN python -m compileall -q --invalidation-mode unchecked-hash /opt/mca
RUN printf '%s\n' '#!/usr/bin/env python3' 'from webhook.cli import main' '' \
      'raise SystemExit(main())' >/usr/local/bin/mca && chmod 755 /usr/local/bin/mca

FROM python:3.11-slim-bookworm
LABEL org.opencontainers.image.title="multi-cluster-adapter sidecar" \
      org.opencontainers.image.description="A Kubernetes API for one pod, which holds the credentials for it" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /opt/mca /opt/mca
COPY --from=build /usr/local/bin/mca /usr/local/bin/mca
ENV PYTHONPATH=/opt/mca PYTHONDONTWRITEBYTECODE=1
USER 64430:64430
ENTRYPOINT ["/usr/local/bin/mca", "sidecar"]
