# Milestone Chat. `make` or `make help` lists the targets.

PYTHON ?= python3
# The first machine in an exercise is one's own; HOST= of a server may stay empty: all addresses.
HOST ?=

VENV := .venv
STAMP := $(VENV)/installed
# What has types, and what `make test` runs: TESTS=tests/unit for a part of it.
TYPED := common milestone1_echo milestone2_users milestone3_rooms milestone4_p2p \
	milestone5_threads demo grading bench tests
TESTS ?= tests
# Tests at a time. Most of a test is waiting for programs, so more than there are processors; each
# worker takes the next test when it has done one, and the long ones come first (tests/conftest.py).
WORKERS ?= 6
PYTEST := -m pytest -q -n $(WORKERS) --dist load --maxschedchunk 1

DIR_m1 := milestone1_echo
DIR_m2 := milestone2_users
DIR_m3 := milestone3_rooms
DIR_m4 := milestone4_p2p
DIR_m5 := milestone5_threads

# Each milestone has its own default port, so that several can run side by side.
PORT_m1 := 8081
PORT_m2 := 8082
PORT_m3 := 8083
PORT_m4 := 8084
PORT_m5 := 8085
PORT ?=

.DEFAULT_GOAL := help

# A line `#:target: what it does` in this file is a line of `make help`.
.PHONY: help
#:help: list these targets
help:
	@echo 'Milestone Chat: targets (N is 1 to 5)'
	@sed -n 's/^#:\([^:]*\): */\1|/p' Makefile | awk -F'|' '{ printf "  %-12s %s\n", $$1, $$2 }'
	@echo 'PORT= and HOST= choose another port or host: make run-m3 PORT=8090'

# Run a milestone. Nothing needs to be installed for these.

MILESTONES := m1 m2 m3 m4 m5
RUN := $(MILESTONES:%=run-%)
JOIN := $(MILESTONES:%=client-%)

.PHONY: $(RUN) $(JOIN)

#:run-mN: run milestone N's server
$(RUN): run-%:
	@$(PYTHON) -m $(DIR_$*).server $(if $(HOST),--host $(HOST)) $(or $(PORT),$(PORT_$*))

#:client-mN: join it, in another terminal
$(JOIN): client-%:
	@$(PYTHON) -m $(DIR_$*).client $(or $(HOST),localhost) $(or $(PORT),$(PORT_$*))

# See and read a milestone.

DEMO := $(MILESTONES:%=demo-%)
DIFF := diff-m2 diff-m3 diff-m4
PREVIOUS_m2 := $(DIR_m1)
PREVIOUS_m3 := $(DIR_m2)
PREVIOUS_m4 := $(DIR_m3)

.PHONY: $(DEMO) $(DIFF)

#:demo-mN: play a conversation of real processes, and show every screen
$(DEMO): demo-%:
	@$(PYTHON) -m demo $*

#:diff-mN: what milestone N (2 to 4) adds to the one before
$(DIFF): diff-%:
	@$(PYTHON) -m demo.difference $(PREVIOUS_$*) $(DIR_$*)

# Test. The first run makes a virtual environment, with the pinned packages of pyproject.toml.

#:venv: make the virtual environment in .venv
.PHONY: venv
venv: $(STAMP)

$(STAMP): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	@sed -n '/^test = \[/,/^\]/s/^ *"\([^"]*\)".*/\1/p' pyproject.toml > $(VENV)/requirements.txt
	$(VENV)/bin/pip install --quiet --disable-pip-version-check -r $(VENV)/requirements.txt
	@touch $@

#:lint: check style and types
.PHONY: lint
lint: $(STAMP)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy $(TYPED)

#:test: lint, types, and all tests, with the coverage of servers and clients too
.PHONY: test
# Hundreds of interpreters start: what one of them has compiled serves them all.
test: export PYTHONDONTWRITEBYTECODE =
test: lint
	$(VENV)/bin/coverage erase
	$(VENV)/bin/coverage run $(PYTEST) -m "not thorough" $(TESTS)
	$(VENV)/bin/coverage combine --quiet
	$(VENV)/bin/coverage report --skip-covered

#:test-all: the tests that take long as well: mutants, ladder, all foreign and hostile programs
.PHONY: test-all
test-all: $(STAMP)
	$(VENV)/bin/python $(PYTEST) $(TESTS)

# Grade. SUBMISSION= names a directory; SERVER= and CLIENT= name commands (or `reference`); ATTACH=
# a server that is already running; ONLY= one requirement; STAGE= wire or terminal; SEED= repeats
# an earlier run; JSON=, JUNIT=, HTML=, MARKDOWN= write files. Nothing named: our own programs.

GRADE := $(MILESTONES:%=grade-%)
WHAT = $(if $(SUBMISSION),--submission '$(SUBMISSION)') $(if $(SERVER),--server '$(SERVER)') \
	$(if $(CLIENT),--client '$(CLIENT)') $(if $(ATTACH),--attach '$(ATTACH)') \
	$(ONLY:%=--only %) $(if $(STAGE),--stage $(STAGE)) $(if $(SEED),--seed $(SEED)) \
	$(if $(MANUAL),--manual '$(MANUAL)') $(if $(RUBRIC),--rubric '$(RUBRIC)') \
	$(if $(JSON),--json '$(JSON)') $(if $(JUNIT),--junit '$(JUNIT)') \
	$(if $(HTML),--html '$(HTML)') $(if $(MARKDOWN),--markdown '$(MARKDOWN)')

.PHONY: grade $(GRADE)

#:grade-mN: grade milestone N: SUBMISSION=../mine, or SERVER= CLIENT=, or our own
$(GRADE): grade-m%: $(STAMP)
	@$(VENV)/bin/python -m grading grade --milestone $* $(WHAT)

#:grade: grade all milestones; MILESTONE=2-4 for some
grade: $(STAMP)
	@$(VENV)/bin/python -m grading grade --milestone $(or $(MILESTONE),1-5) $(WHAT)

# The milestones that an autograder grades: M=3, or M="2 3 4".
M ?= 2

#:gradescope: make build/gradescope.zip, Gradescope's autograder for milestone M=2
.PHONY: gradescope
gradescope: $(STAMP)
	@$(VENV)/bin/python -m grading.gradescope build/gradescope.zip $(M:%=-m %)

# Prove the grader. MILESTONE=2 for one milestone; N= rounds and LOAD= busy processes per processor.

N ?= 20
LOAD ?= 4

.PHONY: mutants flake
#:mutants: grade wrong programs, and write docs/mutants.md: who is caught by what
mutants: $(STAMP)
	@$(VENV)/bin/python -m tests.mutants.matrix $(if $(MILESTONE),-m $(MILESTONE),--write)
	@echo "Automatic ones: each function that names a requirement, emptied"
	@$(VENV)/bin/python -m tests.mutants.matrix --emptied --scope own $(MILESTONE:%=-m %)

#:flake: grade again and again under load (MILESTONE=2 N=20 LOAD=4): what differs?
flake: $(STAMP)
	@$(VENV)/bin/python -m tests.mutants.flake -m $(or $(MILESTONE),2) --rounds $(N) --load $(LOAD)

OUT ?= ../course

#:handout: write what a student is given: OUT=../course; LANGUAGE=c for a start in C
.PHONY: handout
handout: $(STAMP)
	@$(VENV)/bin/python -m grading.handout $(OUT) --language $(or $(LANGUAGE),python)

#:screenshot: take the picture of a chat anew: docs/images/chat.svg
.PHONY: screenshot
screenshot: $(STAMP)
	$(VENV)/bin/python -m tests.terminal.screenshot docs/images/chat.svg

# Measure: ROW="echo rooms" for some rows. Nothing but Python packages is installed for it.

BENCH := $(VENV)/installed-bench

$(BENCH): $(STAMP)
	@sed -n '/^bench = \[/,/^\]/s/^ *"\([^"]*\)".*/\1/p' pyproject.toml > $(VENV)/bench.txt
	$(VENV)/bin/pip install --quiet --disable-pip-version-check -r $(VENV)/bench.txt
	@touch $@

.PHONY: bench bench-long
#:bench: measure our servers beside others, into bench/results (5 minutes); ROW= for some rows
bench: $(BENCH)
	$(VENV)/bin/python -m bench $(ROW)

#:bench-long: the same with more rounds and idle clients, and what grading costs
bench-long: $(BENCH)
	$(VENV)/bin/python -m bench --long $(ROW)

#:clean: remove what was made
.PHONY: clean
clean:
	rm -rf $(VENV) build htmlcov .coverage .coverage.* .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
