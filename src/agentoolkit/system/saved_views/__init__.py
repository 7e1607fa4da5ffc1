"""Searches that somebody keeps: the AgenTool ``saved_views``."""

from typing import TYPE_CHECKING

from agentool.lazy_names import lazy_names

if TYPE_CHECKING:
    from agentoolkit.system.saved_views.agentool import create_saved_views_agent
    from agentoolkit.system.saved_views.errors import NoSuchView, TooManyViews
    from agentoolkit.system.saved_views.schemas import SavedView, SavedViewsInput, SavedViewsOutput

__all__ = ["NoSuchView", "SavedView", "SavedViewsInput", "SavedViewsOutput", "TooManyViews", "create_saved_views_agent"]

__getattr__ = lazy_names(__name__, "errors", "schemas", "agentool")
