"""Store conversations in the toolkit's database, as pydantic-ai's `ConversationStore` requires."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import TypeAdapter
from pydantic_ai.conversation_store import ConversationConflict, ConversationEntry, ConversationRecord, ConversationStore
from pydantic_ai.messages import ModelMessagesTypeAdapter

from agentoolkit.database.database import Database, Session
from agentoolkit.database.times import micros

_RECORD: TypeAdapter[ConversationRecord] = TypeAdapter(ConversationRecord)

_READ = "SELECT record FROM agentool_conversations WHERE conversation_id = :id"
_LIST = "SELECT record FROM agentool_conversations ORDER BY updated_at DESC, conversation_id LIMIT :limit"
_LIST_SCOPE = "SELECT record FROM agentool_conversations WHERE scope = :scope ORDER BY updated_at DESC, conversation_id LIMIT :limit"
_ADD = """
    INSERT INTO agentool_conversations (conversation_id, scope, revision, updated_at, forked_from, record)
    VALUES (:id, :scope, :revision, :updated_at, :forked_from, :record) ON CONFLICT (conversation_id) DO NOTHING
"""
_CHANGE = """
    UPDATE agentool_conversations SET scope = :scope, revision = :revision, updated_at = :updated_at, record = :record
    WHERE conversation_id = :id AND revision = :expected
"""
_REMOVE = "DELETE FROM agentool_conversations WHERE conversation_id = :id AND revision = :expected"
_FORK = "SELECT 1 FROM agentool_conversations WHERE forked_from = :id LIMIT 1"
_ADD_ENTRY = """
    INSERT INTO agentool_conversation_entries (entry_id, conversation_id, parent_id, message)
    VALUES (:entry_id, :id, :parent_id, :message)
"""
_ENTRY = "SELECT entry_id, parent_id, message FROM agentool_conversation_entries WHERE entry_id = :entry_id"
_REMOVE_ENTRIES = "DELETE FROM agentool_conversation_entries WHERE conversation_id = :id"
_HISTORY = """
    WITH RECURSIVE line (entry_id, parent_id, message, place) AS (
        SELECT entry_id, parent_id, message, 0 FROM agentool_conversation_entries WHERE entry_id = :head
        UNION ALL
        SELECT e.entry_id, e.parent_id, e.message, line.place + 1 FROM agentool_conversation_entries e
        JOIN line ON e.entry_id = line.parent_id WHERE line.place + 1 < :limit
    )
    SELECT entry_id, parent_id, message FROM line ORDER BY place DESC
"""
_EVERYTHING = 1_000_000_000


class SqlConversationStore(ConversationStore):
    """Conversations in a `Database`. The first use opens it; its creator closes it.

    Messages are deleted with their conversation, unless a fork shares them.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def read_record(self, conversation_id: str) -> ConversationRecord | None:
        await self._database.open()
        row = await self._database.read(lambda session: session.row(_READ, {"id": conversation_id}))
        return _RECORD.validate_json(row[0]) if row else None

    async def read_records(self, *, scope: str | None = None, limit: int | None = None) -> Sequence[ConversationRecord]:
        await self._database.open()
        most = {"limit": _EVERYTHING if limit is None else limit}
        if scope is None:
            rows = await self._database.read(lambda session: session.rows(_LIST, most))
        else:
            rows = await self._database.read(lambda session: session.rows(_LIST_SCOPE, {**most, "scope": scope}))
        return [_RECORD.validate_json(row[0]) for row in rows]

    async def write_record(
        self, record: ConversationRecord, *, new_entries: Sequence[ConversationEntry] = (), expected_revision: str | None
    ) -> None:
        await self._database.open()
        await self._database.write(lambda session: _write(session, record, new_entries, expected_revision))

    async def delete_record(self, conversation_id: str, *, expected_revision: str) -> None:
        await self._database.open()
        await self._database.write(lambda session: _delete(session, conversation_id, expected_revision))

    async def read_entry(self, entry_id: str) -> ConversationEntry:
        (entry,) = await self.read_history(entry_id, limit=1)
        return entry

    async def read_history(self, head_id: str | None, *, limit: int | None = None) -> list[ConversationEntry]:
        await self._database.open()
        if head_id is None or limit == 0:
            return []
        asked = {"head": head_id, "limit": _EVERYTHING if limit is None else limit}
        rows = await self._database.read(lambda session: session.rows(_HISTORY, asked))
        if not rows:
            raise LookupError(f"There is no entry {head_id!r}.")
        return [
            ConversationEntry(id=entry_id, parent_id=parent_id, message=ModelMessagesTypeAdapter.validate_json(message)[0])
            for entry_id, parent_id, message in rows
        ]


def _write(session: Session, record: ConversationRecord, entries: Sequence[ConversationEntry], expected: str | None) -> None:
    row = {
        "id": record.conversation_id,
        "scope": record.scope,
        "revision": record.revision,
        "updated_at": micros(record.updated_at),
        "forked_from": record.forked_from,
        "record": _RECORD.dump_json(record).decode(),
    }
    changed = session.run(_ADD, row) if expected is None else session.run(_CHANGE, {**row, "expected": expected})
    added = {entry.id for entry in entries}
    known = record.head_id is None or record.head_id in added or session.row(_ENTRY, {"entry_id": record.head_id}) is not None
    if changed != 1 or not known:
        raise ConversationConflict(record.conversation_id)
    for entry in entries:
        message = ModelMessagesTypeAdapter.dump_json([entry.message]).decode()
        session.run(_ADD_ENTRY, {"entry_id": entry.id, "id": record.conversation_id, "parent_id": entry.parent_id, "message": message})


def _delete(session: Session, conversation_id: str, expected: str) -> None:
    if session.run(_REMOVE, {"id": conversation_id, "expected": expected}) != 1:
        raise ConversationConflict(conversation_id)
    if session.row(_FORK, {"id": conversation_id}) is None:
        session.run(_REMOVE_ENTRIES, {"id": conversation_id})
