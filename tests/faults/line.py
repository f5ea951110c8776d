"""A line to PostgreSQL that a test cuts, blocks or lets hang."""

import asyncio
import contextlib
from typing import Self

from psycopg.conninfo import conninfo_to_dict


class Line:
    """A TCP proxy before the test's server, which listens on a socket in the file system.

    Attributes:
        url: The database's address by way of this line.
        up: While False, new connections are refused.
    """

    def __init__(self, url: str) -> None:
        found = conninfo_to_dict(url)
        self._socket = f"{found['host']}/.s.PGSQL.{found.get('port', 5432)}"
        self._name = found["dbname"]
        self._user = found["user"]
        self._writers: set[asyncio.StreamWriter] = set()
        self._flows = asyncio.Event()
        self._flows.set()
        self.up = True

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        self.url = f"postgresql://{self._user}@127.0.0.1:{port}/{self._name}?sslmode=disable"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self.resume()
        self.cut()
        await self._server.wait_closed()

    def cut(self) -> None:
        """Break every connection."""
        for writer in self._writers:
            writer.transport.abort()

    def hang(self) -> None:
        """Let nothing through, and keep the connections open."""
        self._flows.clear()

    def resume(self) -> None:
        """Let what was held, and all that follows, through."""
        self._flows.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            if not self.up:
                return
            server_reader, server_writer = await asyncio.open_unix_connection(self._socket)
            self._writers.add(server_writer)
            try:
                await asyncio.gather(self._pump(reader, server_writer), self._pump(server_reader, writer))
            finally:
                self._writers.discard(server_writer)
                server_writer.transport.abort()
        except asyncio.CancelledError:  # the test has ended; asyncio's server would complain of it
            return
        finally:
            self._writers.discard(writer)
            writer.transport.abort()

    async def _pump(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await source.read(2**16):
                await self._flows.wait()
                target.write(data)
                await target.drain()
        target.transport.abort()
