"""Makes the AgenTool ``storage_kv``."""

from __future__ import annotations

from agentool.agentool import AgenTool, create_agentool
from agentool.core.injector import Injector, get_injector
from agentoolkit.storage.kv.memory import MemoryKeyValueStore
from agentoolkit.storage.kv.operations import HANDLERS
from agentoolkit.storage.kv.schemas import KvInput
from agentoolkit.storage.kv.service import KvService
from agentoolkit.time_source import SystemTime

NAME = "storage_kv"

DESCRIPTION = """\
Keeps JSON values by key, for ever or for a time; counts, and changes a value only if it is the expected one. Other
AgenTools' input can refer to a value: '!ref:storage_kv:key'."""


def create_storage_kv_agent(service: KvService | None = None, *, injector: Injector | None = None) -> AgenTool[KvService]:
    """Create the AgenTool ``storage_kv`` and register it, or return the registered one.

    Args:
        service: What it works with; by default values that live in memory.
        injector: Where to register; the current one by default.

    Raises:
        ConfigurationError: Another AgenTool named ``storage_kv`` is registered.
    """
    injector = injector or get_injector()
    if service is None and NAME in injector:
        return injector.get(NAME)
    service = service or KvService(MemoryKeyValueStore(), SystemTime())
    return create_agentool(NAME, KvInput, HANDLERS, deps=service, description=DESCRIPTION, examples=EXAMPLES, injector=injector)


EXAMPLES = (
    {"operation": "set", "key": "current_time", "value": "12:00", "ttl": 3600},
    {"operation": "get", "key": "current_time", "default": "unknown"},
    {"operation": "increment", "key": "visits", "namespace": "site"},
)
