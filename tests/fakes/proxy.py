"""A company's network on loopback: a forward proxy, the only way to names that no DNS knows, and a private CA."""

import asyncio
import contextlib
import ssl
import subprocess
from pathlib import Path

CERTIFICATE_DAYS = "2"


def certificate(folder: Path, *names: str) -> Path:
    """A certificate for these names (`.pem`, with its key beside it), which is its own CA."""
    target = folder / "ca.pem"
    alternatives = ",".join(f"DNS:{name}" for name in names)
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        CERTIFICATE_DAYS,
        "-subj",
        "/CN=fake",
    ]
    command += ["-addext", f"subjectAltName={alternatives}", "-keyout", str(folder / "key.pem"), "-out", str(target)]
    subprocess.run(command, check=True, capture_output=True)
    return target


class FakeProxy:
    """Tunnels by CONNECT, and passes on requests in absolute form; `asked` is what it was asked for.

    `serve` makes a loopback port known as a name; with a certificate, by TLS alone.
    """

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[str] = []
        self.credentials: list[str] = []
        self._ports: dict[str, int] = {}
        self._servers: list[asyncio.Server] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> "FakeProxy":
        server = await asyncio.start_server(self._handle, "127.0.0.1", 0)
        self._servers.append(server)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        for server in self._servers:
            server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def serve(self, name: str, url: str, certificate: Path | None = None) -> str:
        """Make the server at a loopback address known as a name; return its address by that name."""
        port = int(url.split("//", 1)[1].partition("/")[0].rpartition(":")[2])
        path = url.split("//", 1)[1].partition("/")[2]
        self._ports[name] = port
        if certificate is None:
            return f"http://{name}/{path}".rstrip("/")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, certificate.with_name("key.pem"))

        async def unwrap(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(OSError):
                await self._tunnel(reader, writer, port)

        server = await asyncio.start_server(unwrap, "127.0.0.1", 0, ssl=context)
        self._servers.append(server)
        self._ports[name] = server.sockets[0].getsockname()[1]
        return f"https://{name}/{path}".rstrip("/")

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except (OSError, asyncio.IncompleteReadError):
            writer.close()
            return
        method, target, _ = head.split(b" ", 2)
        name = target.decode().removeprefix("http://").partition("/")[0].partition(":")[0]
        self.asked.append(f"{'CONNECT' if method == b'CONNECT' else 'GET'} {name}")
        for line in head.decode().split("\r\n"):
            if line.lower().startswith("proxy-authorization: "):
                self.credentials.append(line.partition(": ")[2])
        if name not in self._ports:
            writer.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
            writer.close()
            return
        with contextlib.suppress(OSError):
            if method == b"CONNECT":
                writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
                await self._tunnel(reader, writer, self._ports[name])
            else:
                await self._tunnel(reader, writer, self._ports[name], head)

    async def _tunnel(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int, first: bytes = b""
    ) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", port)
        back.write(first)
        tasks = [asyncio.create_task(_pipe(reader, back)), asyncio.create_task(_pipe(there, writer))]
        self._tasks.update(tasks)
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for stream in (back, writer):
            stream.close()
        for task in tasks:
            task.cancel()


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(2**16):
            writer.write(data)
            await writer.drain()
