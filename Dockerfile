# Every step here is one that scripts/setup runs on any other machine. The image runs as nobody in particular and
# needs nothing writable but /var/lib/consent-ledger. From nothing to serving, behind a proxy that ends TLS:
#   docker run --rm -v consent-ledger:/var/lib/consent-ledger consent-ledger init --origin ledger.example/1
#   docker run --read-only --tmpfs /tmp -v consent-ledger:/var/lib/consent-ledger -p 127.0.0.1:8000:8000 \
#     -e CONSENT_LEDGER_BEHIND_TLS_PROXY=true -e CONSENT_LEDGER_PUBLIC_URL=https://ledger.example consent-ledger
ARG BASE=python:3.11-slim-trixie
FROM ${BASE} AS build
WORKDIR /opt/consent-ledger
# What is installed changes less often than the code: its layer is kept while only code changes.
COPY pyproject.toml LICENSE README.md ./
COPY verifier/pyproject.toml verifier/LICENSE verifier/
COPY requirements requirements
COPY scripts/setup scripts/slim scripts/
RUN scripts/setup runtime
COPY ledger ledger
COPY api api
COPY migrations migrations
COPY verifier verifier
RUN .venv/bin/python scripts/slim .venv && .venv/bin/python -m compileall -q ledger api migrations verifier

FROM ${BASE} AS node
COPY --from=build /opt/consent-ledger /opt/consent-ledger
RUN install -d -o 10001 -g 10001 -m 0700 /var/lib/consent-ledger
ENV PATH=/opt/consent-ledger/.venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
WORKDIR /var/lib/consent-ledger
VOLUME /var/lib/consent-ledger
# A number, so that an orchestrator can see that it is not root.
USER 10001:10001
EXPOSE 8000
STOPSIGNAL SIGTERM
# Asked with the standard library alone: it starts a process every ten seconds.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-m", "api.cli.readiness", "http://127.0.0.1:8000"]
ENTRYPOINT ["consent-ledger"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8000"]

# For the operator, beside the nodes: PostgreSQL's own programs, which `backup` and `restore` run. Of the server's version or a
# newer one (deploy/compose has 17).   docker build --target operator -t consent-ledger-operator:0.1.0 .
FROM node AS operator
ARG POSTGRESQL_CLIENT=postgresql-client-17
USER root
RUN apt-get update -qq && apt-get install -qq -y --no-install-recommends ${POSTGRESQL_CLIENT} > /dev/null && \
    rm -rf /var/lib/apt/lists/*
USER 10001:10001

# What is built when no target is named.
FROM node
