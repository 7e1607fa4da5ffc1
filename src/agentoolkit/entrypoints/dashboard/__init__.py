"""The dashboard: pages on the REST API's application, rendered by the server. Needs the extra ``agentool[http]``."""

from typing import TYPE_CHECKING

from agentool.lazy_names import lazy_names

if TYPE_CHECKING:
    from agentoolkit.entrypoints.dashboard.app import add_pages, close_pages

__all__ = ["add_pages", "close_pages"]

__getattr__ = lazy_names(__name__, "app")
