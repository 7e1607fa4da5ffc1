"""Stores shared by the runs of pydantic-ai agents: conversations, durable steps and provider's batches."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from agentool.errors import ConfigurationError, MissingExtra
from agentoolkit.database.database import Database
from agentoolkit.time_source import TimeSource

if TYPE_CHECKING:
    from pydantic_ai.conversation_store import ConversationStore

    from agentoolkit.agents.batches import ProviderBatches
    from agentoolkit.agents.durable_runs import DurableRuns


class RunStores:
    """The stores. Each is created when the first agent that needs it is registered.

    Args:
        database: Stores conversations; None keeps them as long as the process lasts.
        location: The database as named in settings; steps are stored beside it.
        time: The time source.
    """

    def __init__(self, database: Database | None, location: str | None, time: TimeSource) -> None:
        self._database = database
        self._location = location
        self._time = time

    @cached_property
    def conversations(self) -> ConversationStore:
        """The store of conversations."""
        if self._database is None:
            from pydantic_ai.conversation_store import InMemoryConversationStore

            return InMemoryConversationStore()
        from agentoolkit.agents.conversations import SqlConversationStore

        return SqlConversationStore(self._database)

    @cached_property
    def durable_runs(self) -> DurableRuns:
        """The store of durable runs' steps.

        Raises:
            ConfigurationError: The toolkit has no database.
            MissingExtra: DBOS is not installed.
        """
        if self._location is None:
            problem = "A durable run needs a database, and this toolkit has none."
            raise ConfigurationError(problem, field="durable", value="dbos", remedy="Name one: AGENTOOL_DATABASE.")
        try:
            from agentoolkit.agents.durable_runs import DurableRuns
        except ImportError as error:
            raise MissingExtra("Durable runs need the extra 'dbos'.", field="durable", remedy="Install 'agentool[dbos]'.") from error
        return DurableRuns(self._location, self._time)

    @cached_property
    def batches(self) -> ProviderBatches:
        """The provider's batches, shared by the runs of all agents."""
        from agentoolkit.agents.batches import ProviderBatches

        return ProviderBatches(self.conversations)

    async def close(self) -> None:
        """Close the store of durable runs, if it was opened."""
        if "durable_runs" in vars(self):
            await self.durable_runs.close()
