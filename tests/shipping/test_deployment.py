"""`compose.yaml` and the manifests of `deploy/kubernetes`: valid by their schemas, and made of commands and settings that exist."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import typer
import yaml

from agentoolkit.entrypoints.cli.app import app
from agentoolkit.settings import all_settings

from .schemas import COMPOSE, KINDS

ROOT = Path(__file__).parents[2]
MANIFESTS = sorted((ROOT / "deploy" / "kubernetes").glob("*.yaml"))
SERVICES: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
OURS = [name for name, service in SERVICES.items() if service["image"] == "agentool"]


def objects() -> Iterator[tuple[str, dict[str, Any]]]:
    for path in MANIFESTS:
        for found in yaml.safe_load_all(path.read_text()):
            yield f"{path.stem} {found['kind']}", found


OBJECTS = dict(objects())
PODS = {name: found["spec"]["template"]["spec"] for name, found in OBJECTS.items() if "template" in found.get("spec", {})}


def parsed(words: list[str]) -> None:
    """Read a command as `agentool` does, without running it. Raise what it would say is wrong."""
    group: Any = typer.main.get_command(app)
    found = group.get_command(group.make_context("agentool", [], resilient_parsing=True), words[0])
    assert found is not None, words[0]
    found.make_context(words[0], words[1:])


def test_compose_is_valid():
    """By the Compose specification, as far as we use it; ports are published on loopback alone."""
    jsonschema.validate(yaml.safe_load((ROOT / "compose.yaml").read_text()), COMPOSE)


@pytest.mark.parametrize("name", OBJECTS)
def test_a_manifest_is_valid(name: str):
    """By the API's schema of its kind, as far as we use it: budgets of memory, no rights, no user root."""
    jsonschema.validate(OBJECTS[name], KINDS[OBJECTS[name]["kind"]])


@pytest.mark.parametrize("change", [{"replica": 2}, {"replicas": "2"}, {"template": {}}])
def test_a_mistake_is_found(change: dict[str, Any]):
    """A misspelt field, a wrong type and a missing part are refused: the schemas are strict."""
    wrong = {**OBJECTS["worker Deployment"], "spec": {**OBJECTS["worker Deployment"]["spec"], **change}}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(wrong, KINDS["Deployment"])


@pytest.mark.parametrize("words", [*(pod["containers"][0]["args"] for pod in PODS.values()), *(SERVICES[name]["command"] for name in OURS)])
def test_a_command_is_one_of_ours(words: list[str]):
    """`agentool` takes every command with its options; Flower's is Celery's."""
    if words[0] != "flower":
        parsed(words)


def test_settings_exist():
    """Every variable that is set is one that the program reads."""
    known = {name for setting in all_settings() for name in (setting.variable, *setting.other_variables)}
    named = {*OBJECTS["settings ConfigMap"]["data"], *(name for service in OURS for name in SERVICES[service]["environment"])}
    assert named - known == set()


def test_who_is_deployed_is_probed_and_outlives_an_eviction():
    """Each deployment has probes of life and of readiness, and a budget for its pods by the same labels."""
    for name in ("scheduler", "worker"):
        container = PODS[f"{name} Deployment"]["containers"][0]
        assert {"livenessProbe", "readinessProbe"} <= container.keys()
        labels = OBJECTS[f"{name} Deployment"]["spec"]["selector"]
        assert OBJECTS[f"{name} PodDisruptionBudget"]["spec"]["selector"] == labels
        assert OBJECTS[f"{name} Deployment"]["spec"]["template"]["metadata"]["labels"] == labels["matchLabels"]


def test_all_parts_wait_for_the_schema():
    """In Compose nothing opens the database before it was brought up to date."""
    waiting = {name for name in OURS if SERVICES[name]["depends_on"].get("migrate") == {"condition": "service_completed_successfully"}}
    assert waiting == {*OURS} - {"migrate"}
