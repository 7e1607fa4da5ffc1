"""A TCP proxy on 127.0.0.1 that stands between a program and PostgreSQL, and can be cut."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from urllib.parse import urlsplit, urlunsplit

CUTS = ("before", "after")
_PREPARED = re.compile(rb"P.{4}(_pg3_\w+)\0[^\0]*SKIP LOCKED", re.DOTALL)


class Proxy:
    """Passes bytes on. `cut_commit` loses the next commit's answer; `down` refuses everything until `up`."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._target = (parts.hostname or "127.0.0.1", parts.port or 5432)
        self._listener = socket.create_server(("127.0.0.1", 0))
        port = self._listener.getsockname()[1]
        user = f"{parts.username}@" if parts.username else ""
        self.url = urlunsplit(parts._replace(netloc=f"{user}127.0.0.1:{port}"))
        self.commits_cut = 0
        self._cut_at: int | None = None
        self._commits = 0
        self._down = False
        self._swallows = False
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._commit_themselves: dict[socket.socket, set[bytes]] = {}
        """The names of prepared statements that are transactions by themselves, by the connection."""
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def cut_commit(self, number: int = 1) -> None:
        """Let the server get the so many next commit, and cut the connection before its answer comes through."""
        self._commits, self._cut_at = 0, number

    def swallow(self, swallows: bool = True) -> None:
        """Take every byte, in both directions, and pass none on: the connections stay open."""
        self._swallows = swallows

    def down(self) -> None:
        """Cut every connection, and refuse new ones."""
        self._down = True
        for pair in list(self._pairs):
            self._cut(pair)

    def up(self) -> None:
        self._down = False

    def close(self) -> None:
        self.down()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(5)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self._down:
                client.close()
                continue
            pair = (client, socket.create_connection(self._target))
            self._pairs.append(pair)
            for source, sink, outward in ((*pair, True), (*reversed(pair), False)):
                thread = threading.Thread(target=self._pass_on, args=(source, sink, outward, pair), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _pass_on(self, source: socket.socket, sink: socket.socket, outward: bool, pair: tuple[socket.socket, socket.socket]) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                if self._swallows:
                    continue
                if outward and self._is_the_commit(data, source):
                    self._lose_answer(data, pair)
                    break
                sink.sendall(data)
        self._cut(pair)

    def _is_the_commit(self, data: bytes, client: socket.socket) -> bool:
        if not self._commits_something(data, client) or self._cut_at is None:
            return False
        self._commits += 1
        return self._commits == self._cut_at

    def _commits_something(self, data: bytes, client: socket.socket) -> bool:
        """Is this the end of a transaction, or one of the statements of `LockOrder.EXECUTIONS`, by text or name?"""
        names = self._commit_themselves.setdefault(client, set())
        if prepared := _PREPARED.findall(data):
            names.update(prepared)
            return False
        return b"COMMIT" in data or b"SKIP LOCKED" in data or any(b"\0" + name + b"\0" in data for name in names)

    def _lose_answer(self, data: bytes, pair: tuple[socket.socket, socket.socket]) -> None:
        client, server = pair
        self._cut_at = None
        self.commits_cut += 1
        client.shutdown(socket.SHUT_WR)
        server.sendall(data)
        server.settimeout(5)
        with contextlib.suppress(OSError):
            server.recv(65_536)

    def _cut(self, pair: tuple[socket.socket, socket.socket]) -> None:
        for end in pair:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        with contextlib.suppress(ValueError):
            self._pairs.remove(pair)
