# The images of Picket, one target each:
#
#   docker build --target operator   -t picket-operator:0.1.0 .
#   docker build --target analyzer   -t picket-analyzer:0.1.0 .
#   docker build --target standalone -t picket:0.1.0 .
#
# BASE needs glibc and libstdc++ and nothing else; BUILD_BASE needs Node 24 with npm, and is not part of any image.
# Processes run as 65532 and write to their volume and /tmp only.
ARG BUILD_BASE=docker.io/library/node:24.21.0-bookworm-slim
ARG BASE=docker.io/library/debian:bookworm-slim

# Manifests alone: a changed source leaves the layers with packages as they are.
FROM ${BUILD_BASE} AS manifests
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
COPY proto/package.json proto/
COPY crds/package.json crds/
COPY runtime/package.json runtime/
COPY operator/package.json operator/
COPY analyzer/package.json analyzer/
COPY charts/package.json charts/
COPY kubectl-risk/package.json kubectl-risk/
COPY standalone/package.json standalone/
COPY test/package.json test/
# Not `npm ci`: it refuses a lock file without the optional packages of other platforms.
ENV NPM_INSTALL="npm install --no-save --omit=dev --no-audit --no-fund --loglevel=error --workspace=proto --workspace=crds --workspace=runtime"

FROM manifests AS operator-packages
RUN $NPM_INSTALL --workspace=operator

FROM manifests AS analyzer-packages
RUN $NPM_INSTALL --workspace=analyzer

FROM manifests AS standalone-packages
RUN $NPM_INSTALL --workspace=operator --workspace=analyzer --workspace=kubectl-risk --workspace=standalone

FROM ${BASE} AS base
COPY --from=manifests /usr/local/bin/node /usr/local/bin/node
WORKDIR /app
COPY LICENSE NOTICE package.json ./
# Outgrown buffers go back to the system: a sixth less memory for each principal that is known.
ENV NODE_ENV=production MALLOC_MMAP_THRESHOLD_=131072
USER 65532:65532

# Packages before sources: an upgrade of Picket then pulls a few megabytes.
FROM base AS operator
LABEL org.opencontainers.image.title="picket-operator" org.opencontainers.image.licenses="Apache-2.0"
COPY --from=operator-packages /app/node_modules node_modules
COPY proto proto
COPY crds crds
COPY runtime runtime
COPY operator operator
EXPOSE 18091 8080
ENTRYPOINT ["/usr/local/bin/node", "--disable-warning=ExperimentalWarning", "operator/main.ts"]

FROM base AS analyzer
LABEL org.opencontainers.image.title="picket-analyzer" org.opencontainers.image.licenses="Apache-2.0"
COPY --from=analyzer-packages /app/node_modules node_modules
COPY proto proto
COPY crds crds
COPY runtime runtime
COPY analyzer analyzer
EXPOSE 18090 8080
ENTRYPOINT ["/usr/local/bin/node", "--disable-warning=ExperimentalWarning", "analyzer/main.ts"]

FROM base AS standalone
LABEL org.opencontainers.image.title="picket" org.opencontainers.image.licenses="Apache-2.0"
COPY --from=standalone-packages /app/node_modules node_modules
COPY proto proto
COPY crds crds
COPY runtime runtime
COPY operator operator
COPY analyzer analyzer
COPY kubectl-risk kubectl-risk
COPY standalone standalone
EXPOSE 18090 18091 18092
ENTRYPOINT ["/usr/local/bin/node", "--disable-warning=ExperimentalWarning", "standalone/main.ts"]
