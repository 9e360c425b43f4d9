# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Each target is one script, or one line. "make" lists them.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules --no-print-directory
SHELL := /bin/bash

VENV := .venv/stamp
SCENARIOS ?= default
SLOW_SCENARIOS ?= drift change versions hub_spoke limit rollback interrupt keys interop roadwarrior aws
# The longest first: two parts run at a time, and the last one alone would waste a processor.
TEST := libreswan kernel sanity hostile units lint labs

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

$(VENV): tests/requirements.txt tests/constraints.txt tests/make-venv
	@echo "venv: installing the tools of tests/requirements.txt into .venv"
	@tests/make-venv

.PHONY: packages
packages: ## install what the linters and the lab take from the machine
	@tests/packages

.PHONY: venv
venv: $(VENV) ## install the tools that lint and test into .venv

.PHONY: collection
collection: $(VENV) ## build the tarball and install it, stripped, into .build/collections
	@echo "collection: building and installing what changed"
	@tests/install-collection

.PHONY: lint
lint: $(VENV) ## run every linter
	@echo "lint: ruff, yamllint, shellcheck, mypy, reuse, antsibull, ansible-lint"
	@tests/lint

.PHONY: units
units: $(VENV) ## run the unit tests
	@echo "units: pytest tests/unit"
	@.venv/bin/pytest -q tests/unit

.PHONY: sanity
sanity: $(VENV) ## run ansible-test sanity
	@echo "sanity: ansible-test sanity on a copy of the collection"
	@tests/sanity/run

.PHONY: molecule
molecule: $(VENV) ## run Molecule scenarios, as "molecule test -s NAME" does: SCENARIOS="default drift"
	@echo "molecule: $(SCENARIOS)"
	@set -e; export PATH="$$PWD/.venv/bin:$$PATH"; for scenario in $(SCENARIOS); do molecule test -s $$scenario; done

.PHONY: kernel
kernel: $(VENV) ## run the device and route modules on the lab's kernel, with each supported pyroute2
	@echo "kernel: vti_tunnel and vti_route on a real kernel"
	@tests/integration/kernel/run

.PHONY: libreswan
libreswan: $(VENV) ## run the conn modules against real libreswan 4.10 and 5.2, with faults
	@echo "libreswan: ipsec_conn against real ones"
	@tests/integration/libreswan/run

.PHONY: mutants
mutants: $(VENV) ## change the code in many small ways, and expect a unit test to tell each
	@echo "mutants: faults that a unit test has to tell"
	@.venv/bin/python tests/mutants/run.py $(MUTANTS)

.PHONY: hostile
hostile: $(VENV) ## run the playbooks against gateways that lie, without a lab
	@echo "hostile: gateways that answer what they like"
	@.venv/bin/pytest -q -c tests/integration/pytest.ini tests/integration/hostile

.PHONY: labs
labs: $(VENV) ## test the lab itself: several at a time, killed ones, nothing left
	@echo "labs: labs that stay, and their end"
	@tests/lab/prepare
	@.venv/bin/pytest -q -c tests/integration/pytest.ini tests/integration/lab

.PHONY: native
native: $(VENV) ## scenario default on a machine whose own kernel has VTI and podman, which the lab's guest is
	@echo "native: molecule test -s default in the guest"
	@tests/lab/native

.PHONY: lab
lab: ## prepare the lab: a kernel that has VTI, images of the gateways
	@echo "lab: preparing .lab"
	@tests/lab/prepare

.PHONY: clean-lab
clean-lab: ## remove the lab
	@echo "clean-lab: removing .lab"
	@tests/lab/clean

.PHONY: demo
demo: $(VENV) collection ## roll a VPN out between two sites in the lab, and show that it works
	@echo "demo: a VPN between two sites in the lab"
	@tests/demo/run

.PHONY: oldest-core
oldest-core: $(VENV) collection ## the demo with the oldest ansible-core that is supported
	@echo "oldest-core: the demo with ansible-core 2.17"
	@tests/demo/oldest-core

.PHONY: bench
bench: $(VENV) collection ## measure in the lab, and keep the tables in docs/benchmarks.md
	@echo "bench: devices and routes against iproute2"
	@tests/bench/run
	@echo "bench: a hub with many conns"
	@tests/bench/conns
	@echo "bench: the updown hook against libreswan's own"
	@tests/bench/hook
	@echo "bench: planning of sites"
	@tests/bench/sites

# Each has a lab of its own.
.PHONY: scale-old
scale-old: $(VENV) collection ## every step in the life of a hub with 1,000 tunnels, libreswan 4.10
	@echo "scale-old: a hub with 1,000 tunnels, libreswan 4.10"
	@IMAGES=debian12 tests/bench/scale

.PHONY: scale-new
scale-new: $(VENV) collection ## the same with libreswan 5.2
	@echo "scale-new: a hub with 1,000 tunnels, libreswan 5.2"
	@IMAGES=debian13 tests/bench/scale

.PHONY: test
test: ## all that a change has to pass: lint, units, sanity, kernel, libreswan and scenario default
	@python3 tests/run_parts.py $(SCENARIOS:%=molecule/%) $(TEST)

.PHONY: test-full
test-full: ## the same, then the slower scenarios, 1,000 tunnels, mutants, and the demo, also with the oldest ansible-core
	@python3 tests/run_parts.py $(SCENARIOS:%=molecule/%) $(TEST) $(SLOW_SCENARIOS:%=molecule/%) scale-old scale-new mutants demo oldest-core native

.PHONY: clean
clean: ## remove what was built and installed, except the lab
	@for lab in .build/molecule/*/lab; do tests/lab/down "$$lab"; done
	@echo "clean: removing .build, .venv and the tools' caches"
	@rm -rf .build .venv .ansible .cache .hypothesis .mypy_cache .pytest_cache .ruff_cache tests/output
	@find plugins roles tests -name __pycache__ -prune -exec rm -rf {} +
