"""A client that sends a request in parts, over a connection of its own."""

from __future__ import annotations

import asyncio
from contextlib import suppress

SECONDS = 20.0


async def read_all(reader: asyncio.StreamReader) -> bytes:
    """Return what is answered until the connection is closed. It is reset if something is sent at that moment."""
    read = b""
    with suppress(ConnectionResetError):
        while part := await reader.read(65_536):
            read += part
    return read


async def answer_to(port: int, *parts: bytes, pause: float = 0.0) -> bytes:
    """Send parts of requests, with pauses between, and return all that is answered until the connection is closed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        async with asyncio.timeout(SECONDS):
            answered = asyncio.ensure_future(read_all(reader))
            for part in parts:
                if not answered.done():
                    writer.write(part)
                    await asyncio.sleep(pause)
            return await answered
    finally:
        writer.close()
