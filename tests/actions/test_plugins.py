"""Plugins: found among the installed packages, and registered only if the setting names them."""

from __future__ import annotations

import sys

import pytest

from agentool import ConfigurationError, Injector
from agentoolkit.actions.plugins import available_plugins, register_plugins
from agentoolkit.settings import Settings
from agentoolkit.testing import toolkit

MODULE = """
from typing import Literal
from agentool import BaseOperationInput, RunContext, create_agentool

class GreetingInput(BaseOperationInput):
    operation: Literal["greet"]

async def greeting_greet(ctx: RunContext) -> str:
    return "hello"

def register(injector):
    create_agentool("greeting", GreetingInput, {"greet": greeting_greet}, injector=injector)

def broken(injector):
    raise RuntimeError("no licence")
"""


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """A package with two plugins, installed as far as Python can tell."""
    (tmp_path / "greeting_plugin.py").write_text(MODULE)
    info = tmp_path / "greeting_plugin-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: greeting-plugin\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[agentool.tools]\ngreeting = greeting_plugin:register\nbroken = greeting_plugin:broken\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    sys.modules.pop("greeting_plugin", None)


async def test_a_plugin_that_the_setting_names_is_registered(installed):
    """Its AgenTools can be run, and so scheduled, like any other."""
    async with toolkit(settings=Settings(timezone="UTC", plugins=("greeting",))) as kit:
        assert await kit.injector.run("greeting", {"operation": "greet"}) == "hello"


def test_a_plugin_that_is_installed_later_is_found(installed, tmp_path):
    """Also in a process that has looked for plugins before, as a notebook has."""
    with pytest.raises(ConfigurationError, match="No plugin is named 'later'"):
        register_plugins(["later"], Injector())
    info = tmp_path / "later_plugin-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: later-plugin\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[agentool.tools]\nlater = greeting_plugin:register\n")
    injector = Injector()
    register_plugins(["later"], injector)
    assert "greeting" in injector


async def test_a_function_of_any_module_can_be_a_plugin(installed):
    """What is in no installed package is named by its module and function."""
    async with toolkit(settings=Settings(timezone="UTC", plugins=("greeting_plugin:register",))) as kit:
        assert "greeting" in kit.injector


async def test_a_plugin_that_is_only_installed_is_left_alone(installed):
    """By default nothing of a plugin is even imported."""
    async with toolkit() as kit:
        assert "greeting" not in kit.injector
    assert "greeting_plugin" not in sys.modules
    assert {"broken", "greeting"} <= set(available_plugins())


@pytest.mark.parametrize(("name", "said"), [("greting", "Did you mean 'greeting'"), ("broken", "no licence")])
def test_a_plugin_that_cannot_be_registered_is_named(installed, name, said):
    """What is not there, or fails, stops the application with a sentence."""
    with pytest.raises(ConfigurationError, match=said) as refused:
        register_plugins([name], Injector())
    assert name in str(refused.value)
