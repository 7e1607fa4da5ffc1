"""In which order the files are tested, and which of them count for the coverage."""

from __future__ import annotations

from pathlib import Path

LONGEST = (
    *("browser/test_pictures.py", "contracts/test_executor.py", "fleet/test_faults.py", "fleet/test_many.py"),
    *("fleet/test_command_lines.py", "acceptance/test_differential.py", "services/test_every_call_fails.py"),
    *("contracts/test_queue_backend.py", "interleavings/test_interleavings.py", "entrypoints/test_processes.py", "browser/test_start.py"),
    *("acceptance/test_ended.py", "contracts/test_workers.py", "browser/test_dashboard.py", "entrypoints/test_usage.py"),
    *("services/test_scheduler_on_sql.py", "services/test_sharing.py", "acceptance/test_namespaces.py", "agents/test_approvals.py"),
    *("entrypoints/test_listening.py", "entrypoints/test_transcripts.py", "agents/test_durable.py", "acceptance/test_killed.py"),
    *("interleavings/test_life.py", "acceptance/test_storm.py", "acceptance/test_soak.py", "mcp_door/test_processes.py"),
    *("browser/test_left_open.py", "mcp_door/test_clients.py", "mcp_door/test_scheduled_restart.py", "shipping/test_wheel.py"),
)
"""The files that take longest: where several processes test, none is to be left with one of them when the others have nothing to do."""
MEASURED = ("agentool", "agentoolkit", "contracts", "schedules", "services")
"""The folders whose tests are about what is measured, which `make coverage` runs alone."""
UNMEASURED = (
    *("agentool/test_agentool.py", "agentool/test_errors.py", "agentool/test_references.py"),
    *("agentoolkit/test_idle.py", "agentoolkit/test_scheduler_decisions.py", "agentoolkit/test_scheduler_examples.py"),
    *("agentoolkit/test_scheduler_pages.py", "agentoolkit/test_storage_fs.py", "agentoolkit/test_storage_kv.py"),
    *("contracts/test_begun_as_claimed.py", "contracts/test_executor.py", "contracts/test_job_store.py"),
    *("contracts/test_job_store_downstream.py", "contracts/test_job_store_endings.py", "contracts/test_queue_and_value_plans.py"),
    *("contracts/test_queue_consumers.py", "contracts/test_refusals.py", "contracts/test_store_owners.py", "contracts/test_store_plans.py"),
    *("contracts/test_workers.py", "services/test_damaged_jobs.py", "services/test_downstream_on_sql.py"),
    *("services/test_every_call_fails.py", "services/test_notified_again.py", "services/test_sharing.py"),
    *("schedules/test_clock_changes.py", "schedules/test_clock_changes_of_forms.py", "schedules/test_conformance_page.py"),
    *("schedules/test_counting.py", "schedules/test_croniter.py", "schedules/test_crontab_reference.py", "schedules/test_hostile.py"),
    *("schedules/test_judges.py", "schedules/test_node_engines.py", "schedules/test_zones.py", "services/test_scheduler_on_sql.py"),
)
"""Their files that take long and go over lines that others go over as well, or do so in other processes.

Measuring them costs much and tells nearly nothing: together they hold half a hundredth of what is covered.
"""
_ROOT = Path(__file__).parent


def is_measured(path: Path) -> bool:
    """Whether a file's tests count for the coverage. On Python 3.11 measuring takes up to half of a test's time."""
    name = path.relative_to(_ROOT)
    return name.parts[0] in MEASURED and name.as_posix() not in UNMEASURED


def place(path: Path) -> int:
    """Return where a file stands: the longest come first, the others as they were found."""
    name = path.relative_to(_ROOT).as_posix()
    return LONGEST.index(name) if name in LONGEST else len(LONGEST)


if __name__ == "__main__":
    print(*(f"tests/{folder}" for folder in MEASURED), *(f"--ignore=tests/{name}" for name in UNMEASURED))
