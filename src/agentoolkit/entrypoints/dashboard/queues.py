"""``/queues``: the queues, their messages, and their dead letters grouped by reason.

Queues have no owner, so every page needs the scope ``admin``.
"""

from __future__ import annotations

from uuid import uuid4

from fastapi import Request
from starlette.responses import Response

from agentoolkit.dead_letter_causes import grouped
from agentoolkit.entrypoints.dashboard.addresses import queue_address
from agentoolkit.entrypoints.dashboard.page import Viewing, all_of, go_to, page_router
from agentoolkit.entrypoints.rest.batches import Batch, batches_of
from agentoolkit.entrypoints.rest.problems import ApiError
from agentoolkit.entrypoints.rest.routing import needing

LISTED = 500

router = page_router("queues")

_ADMIN = needing("admin")


@router.get("/queues", openapi_extra=_ADMIN)
async def get_queues(viewer: Viewing) -> Response:
    """List the queues with the numbers of their waiting, leased and dead messages."""
    data = (await viewer.tools.run("queue", "list_queues", limit=LISTED)).data
    return await viewer.page("queues.html", title="Queues", queues=data["queues"], total=data["count"], address=queue_address)


@router.get("/queues/{name}", openapi_extra=_ADMIN)
async def get_queue(viewer: Viewing, name: str) -> Response:
    """Show the waiting messages of a queue, and its dead letters by reason."""
    size, peeked, dead = await all_of(
        viewer.tools.run("queue", "size", queue_name=name),
        viewer.tools.run("queue", "peek", queue_name=name, limit=20),
        viewer.tools.run("queue", "get_dlq", queue_name=name, limit=LISTED),
    )
    return await viewer.page(
        "queue.html",
        title=f"Queue {name}",
        size=size.data,
        messages=peeked.data["messages"],
        groups=grouped(dead.data["messages"]),
        dead=dead.data,
        address=queue_address(name),
        key=uuid4().hex[:16],
    )


@router.get("/queues/{name}/requeue", openapi_extra=_ADMIN)
async def ask_requeue(viewer: Viewing, request: Request, name: str) -> Response:
    """Ask before dead letters are made ready again."""
    ids = [value for field, value in request.query_params.multi_items() if field == "message"]
    if not ids:
        raise ApiError(422, "nothing-chosen", "No dead letter is chosen.", remedy="Choose some of the queue's.")
    return await viewer.page(
        "requeue.html", title=f"Make {len(ids)} ready again?", name=name, ids=ids, address=queue_address(name), key=uuid4().hex[:16]
    )


@router.post("/queues/{name}/requeue", openapi_extra=_ADMIN)
async def requeue(viewer: Viewing, request: Request, name: str) -> Response:
    """Make dead letters ready again, with no failed attempts."""
    sent = await viewer.form_items()
    ids = [value for field, value in sent if field == "message"]
    key, me = dict(sent).get("key") or uuid4().hex[:16], viewer.tools.caller.name

    async def requeue_message(message_id: str) -> None:
        await viewer.tools.run("queue", "requeue", queue_name=name, message_id=message_id)

    batch = Batch(batch_id=key, owner=me, told="Make ready", past="Made ready again", noun="dead letter", items=ids)
    batches_of(request.app.state).start(batch, requeue_message)
    return go_to(f"/act/{key}")
