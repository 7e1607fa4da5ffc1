"""The AgenTool ``config``: its input, its operations, and how it is made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field, JsonValue

from agentool.agentool import AgenTool, create_agentool
from agentool.base import BaseOperationInput
from agentool.context import RunContext
from agentool.core.injector import Injector, get_injector
from agentoolkit.redaction import REDACTED, is_secret, redacted
from agentoolkit.system.config.layers import Layer, Layers

NAME = "config"

DESCRIPTION = """\
Looks up configuration by dotted key: set at run time, in the environment, in files, or a default; and says which."""

_KEY = r"^[^\s.]+(\.[^\s.]+)*$"


class ConfigInput(BaseOperationInput):
    """Input of the AgenTool ``config``. Which fields an operation takes, and needs, is said by its handler."""

    operation: Literal["get", "set", "delete", "list"]
    key: str | None = Field(None, pattern=_KEY, max_length=500, description="Dotted: 'smtp.host'")
    namespace: str | None = Field(None, pattern=_KEY, max_length=500, description="Stands before the key, with a dot")
    value: JsonValue | None = Field(None, description="For set: any JSON value but null")
    default: JsonValue | None = Field(None, description="For get: the answer where no layer has one")
    prefix: str | None = Field("", max_length=500, description="For list: how the keys begin")


class ConfigValue(BaseModel):
    """Answer to ``get`` and ``set``."""

    key: str = Field(description="With its namespace")
    value: JsonValue
    layer: Layer = Field(description="Where the value is from")


class ConfigDeleted(BaseModel):
    """Answer to ``delete``."""

    key: str
    deleted: bool = Field(description="False if it was not set at run time; other layers are never changed")


class ConfigList(BaseModel):
    """Answer to ``list``."""

    values: list[ConfigValue] = Field(description="In the order of their keys; secrets are redacted")
    count: int


async def config_get(ctx: RunContext[Layers], key: str, namespace: str | None = None, default: JsonValue | None = None) -> ConfigValue:
    """Return a value and its layer.

    Raises:
        ConfigKeyNotFound: No layer has the key, and no default was given.
    """
    full = _full(namespace, key)
    if default is not None and ctx.deps.find(full) is None:
        return ConfigValue(key=full, value=default, layer="default")
    value, layer = ctx.deps.get(full)
    return ConfigValue(key=full, value=value, layer=layer)


async def config_set(ctx: RunContext[Layers], key: str, value: JsonValue, namespace: str | None = None) -> ConfigValue:
    """Set a value that overrides every other layer until the process ends."""
    full = _full(namespace, key)
    ctx.deps.set(full, value)
    return ConfigValue(key=full, value=_shown(full, value), layer="runtime")


async def config_delete(ctx: RunContext[Layers], key: str, namespace: str | None = None) -> ConfigDeleted:
    """Delete a value that was set at run time, so that the other layers apply again."""
    full = _full(namespace, key)
    return ConfigDeleted(key=full, deleted=ctx.deps.delete(full))


async def config_list(ctx: RunContext[Layers], prefix: str = "", namespace: str | None = None) -> ConfigList:
    """List keys with their effective values and layers. Values with a secret's name are not shown."""
    begin = _full(namespace, prefix)
    values = [
        ConfigValue(key=key, value=_shown(key, answer.value), layer=answer.layer)
        for key, answer in ctx.deps.all().items()
        if key.startswith(begin)
    ]
    return ConfigList(values=values, count=len(values))


def create_config_agent(
    files: Sequence[Path | str] = (),
    layers: Layers | None = None,
    *,
    environment: Mapping[str, str] | None = None,
    injector: Injector | None = None,
) -> AgenTool[Layers]:
    """Create the AgenTool ``config`` and register it, or return the registered one.

    Args:
        files: TOML, YAML or JSON files; a later file overrides an earlier one.
        layers: The layers; by default created from the files and the environment.
        environment: The variables; by default this process's.
        injector: The injector to register in; by default the current one.

    Raises:
        InvalidConfigFile: A file cannot be read.
    """
    injector = injector or get_injector()
    if NAME in injector and not files and layers is None and environment is None:
        return injector.get(NAME)
    layers = layers or Layers([Path(file) for file in files], environment)
    handlers = {"get": config_get, "set": config_set, "delete": config_delete, "list": config_list}
    return create_agentool(NAME, ConfigInput, handlers, deps=layers, description=DESCRIPTION, examples=EXAMPLES, injector=injector)


EXAMPLES = (
    {"operation": "get", "key": "processing.enabled", "default": True},
    {"operation": "set", "key": "host", "namespace": "smtp", "value": "mail.example.org"},
    {"operation": "list", "prefix": "smtp."},
)


def _full(namespace: str | None, key: str) -> str:
    return f"{namespace}.{key}" if namespace else key


def _shown(key: str, value: JsonValue) -> JsonValue:
    return REDACTED if is_secret(key) else redacted(value)
