"""The fields of a job are declared once, and everything that speaks of them agrees with that."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest
from pydantic import ValidationError

from agentoolkit.entrypoints.taskfile import Task
from agentoolkit.system.scheduler import SchedulerInput
from agentoolkit.system.scheduler.job_fields import JobFields
from agentoolkit.system.scheduler.jobs import Policies


def test_each_policy_is_a_field_of_a_job():
    """Whatever the policies of a job hold is one of its fields."""
    assert {policy.name for policy in fields(Policies)} <= JobFields.model_fields.keys()


def test_defaults_of_policies_are_those_of_the_fields():
    """A field with a default has the same as the policy of its name."""
    said = {name: field.default for name, field in JobFields.model_fields.items() if field.default is not None}
    assert said == {name: getattr(Policies(), name) for name in said}
    assert said == {"max_instances": 1, "misfire_grace_time": 30, "coalesce": True}


@pytest.mark.parametrize("door", [SchedulerInput, Task])
def test_doors_take_every_field(door):
    """The input model and the tasks of a file have all fields of a job."""
    assert JobFields.model_fields.keys() <= door.model_fields.keys()


@pytest.mark.parametrize("name", JobFields.model_fields)
def test_every_field_has_a_description_and_an_example_that_it_accepts(name):
    """People, models and pages learn of a field by its description and by an example that works."""
    field = JobFields.model_fields[name]
    assert field.description
    assert field.examples
    assert JobFields.model_validate({name: field.examples[0]}).given() == {name: field.examples[0]}


def test_null_is_not_given():
    """A field that is None counts as one that was left out."""
    assert JobFields(max_retries=None, timeout=3).given() == {"timeout": 3}


@pytest.mark.parametrize("name", ["job_name", "schedule", "agentool_name", "description", "concurrency_key", "timezone"])
@pytest.mark.parametrize(("text", "said"), [("a\ud800", "a lone surrogate at position 1"), ("a\0", "a NUL character at position 1")])
def test_text_that_no_store_can_hold_is_refused(name, text, said):
    """A lone surrogate or a NUL character is refused when it is given, not when it is written down."""
    with pytest.raises(ValidationError, match=said):
        JobFields.model_validate({name: text})


def test_page_has_every_field_and_no_other() -> None:
    """The table of fields on the scheduler's page names each field of its input once, and none that there is not.

    `operation` has a table of its own: that of the operations.
    """
    page = (Path(__file__).parents[2] / "docs" / "agentoolkits" / "scheduler.md").read_text(encoding="utf-8")
    table, _, _ = page.partition("## Operations Schema")
    cells = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    named = [name for cell in cells for name in re.findall(r"`(\w+)`", cell)]
    assert sorted([*named, "operation"]) == sorted(SchedulerInput.model_fields)
