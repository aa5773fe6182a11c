# The sidecar: the base install, without the control extra. `make images` builds and pushes it; or
# build it at the root of the tree:
#   docker build --tag mca-sidecar .
# Dockerfile.control makes the image of the control plane.
# tests/node/product.py makes the same without Docker, for the tests on a real node.
# The base is named by a tag, so that a build has what Debian mended until then. To name it:
#   --build-arg BASE=docker.io/library/debian@sha256:...
ARG BASE=docker.io/library/debian:bookworm-slim

# Debian's Python is profile-guided, and its packages compile the standard library as they are
# installed. Another base may not: then it is done here, for what is not compiled in an image is
# compiled at each start where the root is read-only.
FROM ${BASE} AS python
RUN apt-get update \
    && apt-get install --yes --no-install-recommends python3 \
    && python3 -m compileall -q "$(python3 -c 'import os; print(os.path.dirname(os.__file__))')" \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/*

FROM python AS build
RUN apt-get update && apt-get install --yes --no-install-recommends python3-pip
COPY requirements/sidecar.lock /src/
RUN python3 -m pip install --no-cache-dir --no-compile --no-deps --only-binary=:all: \
      --require-hashes --requirement /src/sidecar.lock --target /opt/mca
# Commands of the dependencies: nothing runs them.
RUN rm -r /opt/mca/bin
COPY sidecar /opt/mca/sidecar
COPY webhook /opt/mca/webhook
RUN python3 -m compileall -q --invalidation-mode unchecked-hash /opt/mca
RUN printf '%s\n' '#!/usr/bin/env python3' 'from webhook.cli import main' '' \
      'raise SystemExit(main())' >/usr/local/bin/mca && chmod 755 /usr/local/bin/mca

FROM python
COPY --from=build /opt/mca /opt/mca
COPY --from=build /usr/local/bin/mca /usr/local/bin/mca
ENV PYTHONPATH=/opt/mca PYTHONDONTWRITEBYTECODE=1
USER 64430:64430
ENTRYPOINT ["/usr/local/bin/mca", "sidecar"]
ARG REVISION=unknown
LABEL org.opencontainers.image.title="multi-cluster-adapter sidecar" \
      org.opencontainers.image.description="A Kubernetes API for one pod, which holds the credentials for it" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.revision="${REVISION}"
