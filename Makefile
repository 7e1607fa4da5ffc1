.PHONY: api site house quick tools install serve test check lint types imports coverage bench growth docs format

unexport PYTHONDONTWRITEBYTECODE # each process that a test starts would compile what it imports

install:          ## everything a contributor needs
	uv sync

serve:            ## run the bundled example
	uv run agentool

test:             ## all tests
	uv run pytest

quick:            ## the inner loop: the framework and the toolkit's documented surface, in less than a minute
	uv run pytest -q -x -n 4 tests/agentool tests/agentoolkit

house:            ## files, functions, names and trips in figures
	uv run python tools/house.py

check: lint types imports coverage  ## what CI runs besides the tests

lint:
	uv run ruff check .
	uv run ruff format --check .

types:
	uv run pyright

imports:
	uv run lint-imports

coverage: .coverage  ## branch coverage of the framework and of system/; the tests are run if something changed since
	uv run coverage report --fail-under=95

.coverage: pyproject.toml $(shell find src tests -name '*.py')
	uv run pytest -q --cov --cov-report= $$(uv run python -m tests.order)

bench:            ## ours beside its peers, in one run, as ratios
	$(if $(filter growth,$(MAKECMDGOALS)),@true,uv run --group bench python -m bench)

growth:           ## what each operation of the scheduler costs as its store grows; `make bench growth` is this alone
	uv run --group bench python -m bench.growth
	uv run --group bench python -m bench.growing_tools
	uv run --group bench python -m bench.growth_pages
	uv run --group bench python -m bench.growth_pauses

docs:             ## run every block of every page, and compare the generated pages with the program
	uv run pytest -q tests/docs tests/schedules/test_conformance_page.py tests/entrypoints/test_reference.py

site:             ## the pages as a site with search, in site/; every link is checked
	uv run mkdocs build --strict --quiet

tools:            ## what each tool costs a model that is offered it, in tokens
	uv run python -m agentoolkit.agents.tool_costs
	uv run python -m agentoolkit.entrypoints.mcp_server.tool_costs

format:
	uv run ruff check --fix .
	uv run ruff format .

api:              ## the REST API, tried by schemathesis
	uv run tools/check_api.py
