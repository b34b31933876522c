# docker build --build-arg VERSION=0.1.0 --build-arg REVISION=$(git rev-parse HEAD) -t barengine .
#
# `make image-check` performs these very instructions without a container engine, and runs the result.
#
# The base images are pinned to an exact release of Python and of Debian. Their digests change with
# every rebuild of those tags (security fixes), and only the registry can tell today's: pin them, too,
# by --build-arg RUN_IMAGE=python@sha256:… where a build must be repeatable to the byte.
# Everything from the package index is pinned by hash.
#
# --build-arg EXTRAS=exchanges adds the library behind SCHEDULE=exchange:…, and some 150 MB with it.
# Labels that only you know come by docker's own option, such as
#   --label org.opencontainers.image.source=URL --label org.opencontainers.image.created=$(date -u +%FT%TZ)
ARG BUILD_IMAGE=python:3.11.15-bookworm
ARG RUN_IMAGE=python:3.11.15-slim-bookworm

# ---- the wheel, and the environment that it runs in: here is the compiler --------------------------
FROM ${BUILD_IMAGE} AS build
WORKDIR /src
ARG EXTRAS=
COPY requirements/build.txt requirements/run.txt requirements/run-exchanges.txt requirements/
RUN python -m venv /opt/build \
 && /opt/build/bin/pip install --no-cache-dir --only-binary :all: --require-hashes -r requirements/build.txt
# Without pip: nobody installs into a running container.
RUN python -m venv --without-pip /opt/barengine \
 && /opt/build/bin/pip --python /opt/barengine/bin/python install --no-cache-dir --only-binary :all: --require-hashes -r "requirements/run${EXTRAS:+-$EXTRAS}.txt"
COPY pyproject.toml setup.py MANIFEST.in README.md CHANGELOG.md ./
COPY config config
COPY barengine barengine
RUN /opt/build/bin/python -m build --no-isolation --outdir /dist \
 && /opt/build/bin/pip --python /opt/barengine/bin/python install --no-cache-dir --no-index --no-deps /dist/*.whl

# ---- what runs: Debian's slim Python, and that environment -----------------------------------------
FROM ${RUN_IMAGE}
# The base image has its standard library without bytecode, and at run time none can be written: each
# start, and each health check, would compile what it imports anew.
RUN python -m pip uninstall --yes --quiet pip setuptools wheel \
 && python -m compileall -q -x '/(site-packages|tests?)/' "$(python -c 'import os; print(os.path.dirname(os.__file__))')"
COPY --from=build /opt/barengine /opt/barengine

ARG RUN_IMAGE
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="barengine" \
      org.opencontainers.image.description="Market ticks in Apache Kafka become finalized OHLC bars, exactly once." \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="${RUN_IMAGE}"

# Bytecode was written at build time, and at run time nothing is: the root file system may be read-only.
ENV PATH=/opt/barengine/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONSAFEPATH=1 \
    PYTHONUNBUFFERED=1

# A number, so that Kubernetes can see that it is not root.
USER 10001:10001
WORKDIR /
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=6 \
    CMD ["python", "-m", "barengine", "health"]
# No shell in between: SIGTERM arrives, and the partitions are handed over.
ENTRYPOINT ["python", "-m", "barengine"]
CMD ["run"]
