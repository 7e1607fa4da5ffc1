"""What runs of pydantic-ai agents share: their conversations, the steps of durable ones, and the provider's batches."""

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
    """Each is opened when an agent that needs it is first registered.

    Args:
        database: Where conversations are kept; None: as long as the process lasts.
        location: That database, as settings name it: steps are kept beside it.
        time: The time source.
    """

    def __init__(self, database: Database | None, location: str | None, time: TimeSource) -> None:
        self._database = database
        self._location = location
        self._time = time

    @cached_property
    def conversations(self) -> ConversationStore:
        """Where conversations are kept."""
        if self._database is None:
            from pydantic_ai.conversation_store import InMemoryConversationStore

            return InMemoryConversationStore()
        from agentoolkit.agents.conversations import SqlConversationStore

        return SqlConversationStore(self._database)

    @cached_property
    def durable_runs(self) -> DurableRuns:
        """Where the steps of durable runs are kept.

        Raises:
            ConfigurationError: Nothing of this toolkit outlives the process.
            MissingExtra: DBOS is not installed.
        """
        if self._location is None:
            problem = "A durable run needs a database, and nothing of this toolkit outlives the process."
            raise ConfigurationError(problem, field="durable", value="dbos", remedy="Name one: AGENTOOL_DATABASE.")
        try:
            from agentoolkit.agents.durable_runs import DurableRuns
        except ImportError as error:
            raise MissingExtra("Durable runs need the extra 'dbos'.", field="durable", remedy="Install 'agentool[dbos]'.") from error
        return DurableRuns(self._location, self._time)

    @cached_property
    def batches(self) -> ProviderBatches:
        """The provider's batches, which runs of all agents share."""
        from agentoolkit.agents.batches import ProviderBatches

        return ProviderBatches(self.conversations)

    async def close(self) -> None:
        """End what was opened for durable runs."""
        if "durable_runs" in vars(self):
            await self.durable_runs.close()
