"""Values by key, in memory or in the toolkit's database."""

from typing import TYPE_CHECKING

from agentool.lazy_names import lazy_names

if TYPE_CHECKING:
    from agentoolkit.storage.kv.agentool import create_storage_kv_agent
    from agentoolkit.storage.kv.errors import KeyNotFound, NotANumber, NotYours, ValueTooLarge
    from agentoolkit.storage.kv.schemas import KvInput
    from agentoolkit.storage.kv.service import KvService

__all__ = ["KeyNotFound", "KvInput", "KvService", "NotANumber", "NotYours", "ValueTooLarge", "create_storage_kv_agent"]

__getattr__ = lazy_names(__name__, "errors", "service", "schemas", "agentool")
