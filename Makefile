# Everything a person does with this repository. `make` alone tells what there is.
SHELL := /bin/bash
.DELETE_ON_ERROR:
PY := .venv/bin/python
STAMP := .venv/.stamp
STATIC := shared/web/static/.stamp
export PYTHONDONTWRITEBYTECODE := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help setup run test quick lint types unit tests bench soak screens golden lock docs clean browser servers run-distributed kube image k8s-check rehearsal databases namespaces

help: ## Show this list
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

setup: $(STAMP) $(STATIC) ## Install what running and testing need into .venv and node_modules

$(STAMP): requirements-dev.txt pyproject.toml
	python3.11 -m venv .venv 2>/dev/null || python3 -m venv .venv
	$(PY) -m pip install --quiet --require-hashes -r requirements-dev.txt
	PYTHONWARNINGS=ignore $(PY) -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(STATIC): $(STAMP) package.json package-lock.json $(shell find shared/web/frontend -type f 2>/dev/null)
	@if command -v npm >/dev/null; then npm ci --silent --no-audit --no-fund && npm run --silent build; \
	else $(PY) -m pip install --quiet --require-hashes -r requirements-node.txt && PATH="$(CURDIR)/.venv/bin:$$PATH" npm ci --silent --no-audit --no-fund && PATH="$(CURDIR)/.venv/bin:$$PATH" npm run --silent build; fi
	@touch $@

run: setup ## Start everything on this machine with the demo organisation
	.venv/bin/letterlock run --demo

browser:
	@command -v chromium >/dev/null || { [ "$$(id -u)" = 0 ] && apt-get update -qq && apt-get install -y -qq chromium >/dev/null; } \
	|| { echo "tests drive a real browser: install Debian's package chromium"; exit 1; }

kube:
	@command -v kubectl >/dev/null || { [ "$$(id -u)" = 0 ] && apt-get update -qq && apt-get install -y -qq kubernetes-client >/dev/null; } \
	|| { echo "manifests are rendered by kubectl: install Debian's package kubernetes-client"; exit 1; }

namespaces:
	@[ "$$(id -u)" != 0 ] || command -v ip >/dev/null || { apt-get update -qq && apt-get install -y -qq iproute2 >/dev/null; }

servers:
	@test -x /usr/lib/rabbitmq/bin/rabbitmq-server || { [ "$$(id -u)" = 0 ] && apt-get update -qq && apt-get install -y -qq rabbitmq-server >/dev/null; } \
	|| { echo "tests start a RabbitMQ of their own: install Debian's package rabbitmq-server"; exit 1; }

databases:
	@ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null || { [ "$$(id -u)" = 0 ] && apt-get update -qq \
	&& mkdir -p /etc/postgresql-common && { [ -e /etc/postgresql-common/createcluster.conf ] || echo "create_main_cluster = false" > /etc/postgresql-common/createcluster.conf; } \
	&& apt-get install -y -qq -o Dpkg::Options::=--force-confold postgresql >/dev/null; } \
	|| { echo "tests start a PostgreSQL of their own: install Debian's package postgresql"; exit 1; }

run-distributed: setup servers ## The same in processes of their own, with a private RabbitMQ
	.venv/bin/letterlock run-distributed --demo

test: setup browser servers databases kube namespaces ## Check everything: format, lint, types, imports, all tests (what CI runs)
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/bandit --quiet -c pyproject.toml --recursive services shared
	.venv/bin/pytest --numprocesses 2 --dist loadfile

quick: setup ## Lint and the unit tests that wait for nothing, in seconds
	.venv/bin/ruff check .
	LETTERLOCK_EXAMPLES=quick .venv/bin/pytest --quiet --numprocesses 2 -m "not integration" -k "not lags and not updating and not just_written" --ignore-glob '*/test_web_*' --ignore-glob '*/test_follow*' --ignore-glob '*_processes.py' --ignore tests/unit/shared/web --ignore tests/contract/test_eventstore_kurrent.py --ignore tests/contract/test_eventstore_postgres.py tests/unit tests/contract

soak: setup browser servers databases kube namespaces ## The same races, faults and fuzz at their full numbers
	LETTERLOCK_SOAK=full LETTERLOCK_EXAMPLES=full .venv/bin/pytest --numprocesses 1 -m integration tests

bench: setup servers databases ## Measure against peers in the same run and print ratios
	$(PY) -m pip install --quiet --require-hashes -r requirements-bench.in
	$(PY) -m tests.benchmarks

screens: setup browser ## Write pictures of every page, wide and phone-sized, to .artifacts/
	.venv/bin/pytest --quiet tests/browser

image: ## Build the container image (Docker with buildx; nothing else here needs it)
	SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) docker buildx build --file deploy/Dockerfile \
	  --output type=docker,rewrite-timestamp=true --tag letterlock:$$(git rev-parse --short=12 HEAD) .

k8s-check: setup kube ## Render and check the manifests, compose.yaml and the image's recipe
	.venv/bin/pytest --quiet -m "not integration" tests/deploy

rehearsal: setup kube servers namespaces ## Start all that deploy/ describes, here, without Docker or a cluster (as root)
	LETTERLOCK_SOAK=full .venv/bin/pytest --quiet tests/deploy/test_rehearsal.py

golden: setup ## Write the missing samples of stored events
	$(PY) -m tests.golden.make

docs: setup ## Write the tables of facts and refusals anew from the code
	$(PY) -m tests.docs.make

lock: setup ## Lock the newest allowed versions, with hashes and without addresses
	.venv/bin/pip-compile --quiet --upgrade --no-strip-extras --allow-unsafe --generate-hashes --no-emit-index-url --no-emit-find-links --no-emit-trusted-host -o requirements.txt requirements.in
	.venv/bin/pip-compile --quiet --upgrade --no-strip-extras --allow-unsafe --generate-hashes --no-emit-index-url --no-emit-find-links --no-emit-trusted-host -o requirements-dev.txt requirements-dev.in
	.venv/bin/pip-compile --quiet --upgrade --generate-hashes --no-emit-index-url --no-emit-find-links --no-emit-trusted-host -o requirements-node.txt requirements-node.in

clean: ## Remove what was built; never the data
	rm -rf .venv node_modules shared/web/static .artifacts .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
