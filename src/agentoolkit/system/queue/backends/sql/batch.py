"""Handle many requests in one transaction, with one order of locks, so that no two processes deadlock.

First all queues by name, each with the strongest requested lock; then the messages named by receipts, by queue and
id. Everything else takes only unlocked rows. Counters are written last.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from agentoolkit.database.database import DatabaseError, Session
from agentoolkit.system.queue.backends.sql import queues, statements
from agentoolkit.system.queue.backends.sql.open_queue import KeptPerQueue, OpenQueue
from agentoolkit.system.queue.backends.sql.records import QueueRow
from agentoolkit.system.queue.backends.sql.requests import (
    AddRequest,
    CreateRequest,
    DeadLetterRequest,
    Lock,
    NackRequest,
    OtherRequest,
    PutBackRequest,
    RemoveRequest,
    Request,
    TakeRequest,
    lock_for,
)
from agentoolkit.system.queue.errors import QueueError, QueueNotFound
from agentoolkit.system.queue.messages import Queue, QueueMessage, QueueSettings
from agentoolkit.system.queue.ports import Created, QueueContents, Restored

_RECEIPTS = (RemoveRequest, NackRequest, DeadLetterRequest)


class _Locked(NamedTuple):
    """A locked queue, and its locked messages."""

    row: QueueRow
    created: bool
    held: dict[str, QueueMessage]


def do_together(session: Session, requests: Sequence[Request], kept: KeptPerQueue) -> list[Any]:
    """Handle requests and return their answers in order. An error is an answer too, so that the other requests go on."""
    places: dict[str, list[int]] = {}
    for place, request in enumerate(requests):
        places.setdefault(request.queue_name, []).append(place)
    wanted = {name: [requests[place] for place in places[name]] for name in sorted(places)}
    locked, refused = _lock_all(session, wanted)
    opened: list[OpenQueue] = []
    answers: list[Any] = [None] * len(requests)
    for name, some in wanted.items():
        if name in refused:
            answered: Sequence[Any] = [refused[name]] * len(some)
        else:
            opened.append(OpenQueue(session, locked[name].row, kept))
            answered = _do(opened[-1], locked[name], some)
        for place, answer in zip(places[name], answered, strict=True):
            answers[place] = answer
    for queue in opened:
        queue.write_counts()
    return answers


def _lock_all(session: Session, wanted: Mapping[str, Sequence[Request]]) -> tuple[dict[str, _Locked], dict[str, Exception]]:
    """Lock the queues and messages of all requests. Requests of a queue that stays locked elsewhere fail; the others go on."""
    refused: dict[str, Exception] = {}
    while True:
        session.save()
        rest = {name: some for name, some in wanted.items() if name not in refused}
        locked: dict[str, _Locked] = {}
        name = ""
        try:
            for name, some in rest.items():
                if found := _found_or_made(session, name, some):
                    locked[name] = _Locked(*found, {})
                else:
                    refused[name] = QueueNotFound.among(name, queues.names(session))
            for name in locked:
                held = statements.by_id(session, name, _ids(rest[name]), lock=True)
                locked[name] = locked[name]._replace(held=held)
        except Exception as error:
            if not session.is_locked_out(error):
                raise
            session.undo_to_save()
            remedy = "Another transaction in the database keeps it locked: end that one."
            refused[name] = DatabaseError(f"Queue {name!r} is locked.", field="queue_name", value=name, remedy=remedy)
        else:
            return locked, refused


def _found_or_made(session: Session, queue_name: str, requests: Sequence[Request]) -> tuple[QueueRow, bool] | None:
    """Return a locked queue, and whether it was created; None if it does not exist and no request creates it."""
    lock = max(map(lock_for, requests))
    made = next((request for request in requests if isinstance(request, (CreateRequest, AddRequest))), None)
    created = False
    while (row := queues.find(session, queue_name, lock)) is None:
        if made is None:
            return None
        new = made.queue if isinstance(made, CreateRequest) else Queue(queue_name, QueueSettings(), made.now)
        created = queues.create(session, new) or created
    return row, created


def _ids(requests: Sequence[Request]) -> set[str]:
    """Return the message ids in the requests."""
    named = {request.receipt.message_id for request in requests if isinstance(request, _RECEIPTS)}
    taken = [request for request in requests if isinstance(request, PutBackRequest) and not request.taken_out]
    return named | {message.message_id for request in taken for message in request.messages}


def _do(queue: OpenQueue, locked: _Locked, requests: Sequence[Request]) -> list[Any]:
    """Handle the requests of one queue: removals first, then additions, then takings, then the rest one by one."""
    now = max(request.now for request in requests)
    held = locked.held
    if queue.settle(now) and held:
        held = statements.by_id(queue.session, queue.name, held)
    answers: list[Any] = [None] * len(requests)
    _answer(answers, requests, _RECEIPTS, lambda some: queue.end_leases(some, held))
    _answer(answers, requests, (PutBackRequest,), lambda some: queue.put_back(some, held))
    _answer(answers, requests, (AddRequest,), queue.add)
    _answer(answers, requests, (TakeRequest,), queue.take)
    created = locked.created
    for place, request in enumerate(requests):
        if isinstance(request, CreateRequest):
            answers[place], created = Created(queue.queue, created), False
        elif isinstance(request, OtherRequest):
            try:
                answers[place] = QueueNotFound.among(queue.name, ()) if queue.deleted else request.work(queue)
            except QueueError as error:
                answers[place] = error
    return answers


def _answer(
    answers: list[Any], requests: Sequence[Request], kinds: tuple[type[Any], ...], work: Callable[[Sequence[Any]], Sequence[Any]]
) -> None:
    """Handle all requests of some kinds together."""
    places = [place for place, request in enumerate(requests) if isinstance(request, kinds)]
    if places:
        for place, answer in zip(places, work([requests[place] for place in places]), strict=True):
            answers[place] = answer


def restore_all(session: Session, contents: Sequence[QueueContents], kept: KeptPerQueue, now: datetime) -> Restored:
    """See `QueueBackend.restore`."""
    by_name = {each.queue.queue_name: each for each in sorted(contents, key=lambda each: each.queue.queue_name)}
    made: set[str] = set()
    opened: list[OpenQueue] = []
    for name, each in by_name.items():
        if queues.create(session, each.queue):
            made.add(name)
        if row := queues.find(session, name, Lock.ALL):
            opened.append(OpenQueue(session, row, kept))
    messages = 0
    for queue in opened:
        queue.settle(now)
        messages += queue.restore(by_name[queue.name], queue.name in made, now)
    for queue in opened:
        queue.write_counts()
    return Restored(sorted(made), messages)
