"""Cut off clients that send the head of a request slowly, or do not read: each would hold a connection, and needs no token for it."""

from __future__ import annotations

import asyncio
from typing import cast

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

HEAD_SECONDS = 10.0
"""Time for the first line and the headers of a request to arrive."""
READ_SECONDS = 30.0
"""Time in which a client has to take `READ_BYTES` of what waits for it, or all of it."""
READ_BYTES = 30_000


class BoundedClients(H11Protocol):
    """HTTP/1.1 with a limit on the time of a request's head, and on that of reading. h11 limits only sizes, and uvicorn nothing."""

    _deadline: asyncio.TimerHandle | None = None
    _reading: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  as the class above has it
        super().connection_made(transport)
        transport.set_write_buffer_limits(0)  # `pause_writing` is then called as soon as anything waits
        self._watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._unwatch()
        self._stop_reading()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch_reading()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stop_reading()

    def _watch_reading(self) -> None:
        waits = self.transport.get_write_buffer_size()
        self._reading = self.loop.call_later(READ_SECONDS, self._check_reading, waits)

    def _check_reading(self, waited: int) -> None:
        if self.transport.get_write_buffer_size() > waited - READ_BYTES:
            self.transport.abort()  # closed, it would wait for the reader
        else:
            self._watch_reading()

    def _stop_reading(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
            self._reading = None

    def _watch(self) -> None:
        """Start the timer while no request is handled. Further bytes do not restart it, so a slow sender gets no more time."""
        cycle = cast("RequestResponseCycle | None", self.cycle)  # None before the first request
        if cycle is not None and not cycle.response_complete:
            self._unwatch()
        elif self._deadline is None:
            self._deadline = self.loop.call_later(HEAD_SECONDS, self._cut)

    def _unwatch(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _cut(self) -> None:
        self._deadline = None
        if self.transport.is_closing():
            return
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):  # the rest of a body comes, whose request was refused
            self.transport.close()
        else:
            self.send_400_response(f"The head of the request did not come within {HEAD_SECONDS:g} s.")
