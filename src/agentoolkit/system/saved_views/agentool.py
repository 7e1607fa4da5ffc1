"""Makes the AgenTool ``saved_views``."""

from __future__ import annotations

from agentool.agentool import AgenTool, create_agentool
from agentool.core.injector import Injector, get_injector
from agentoolkit.storage.kv.memory import MemoryKeyValueStore
from agentoolkit.system.saved_views.operations import HANDLERS, SavedViews
from agentoolkit.system.saved_views.schemas import SavedViewsInput
from agentoolkit.time_source import SystemTime

NAME = "saved_views"

DESCRIPTION = """\
Keeps searches of jobs and executions under names, each caller its own; one of a list can be what it begins with."""


def create_saved_views_agent(deps: SavedViews | None = None, *, injector: Injector | None = None) -> AgenTool[SavedViews]:
    """Make the AgenTool ``saved_views`` and register it; where there is one already, return that.

    Args:
        deps: Where views are kept; by default in memory.
        injector: Where to register; the current one by default.
    """
    injector = injector or get_injector()
    if deps is None and NAME in injector:
        return injector.get(NAME)
    deps = deps or SavedViews(MemoryKeyValueStore(), SystemTime())
    return create_agentool(NAME, SavedViewsInput, HANDLERS, deps=deps, description=DESCRIPTION, examples=EXAMPLES, injector=injector)


EXAMPLES = (
    {"operation": "save", "page": "executions", "name": "Failed today", "query": "status:failed since:24h", "is_default": True},
    {"operation": "list", "page": "jobs"},
)
