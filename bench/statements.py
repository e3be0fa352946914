"""What a server says to its database, seen from outside: a traced SQLite, or a proxy that reads PostgreSQL's wire."""

from __future__ import annotations

import asyncio
import os
import struct
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

TRACED = Path(__file__).parent / "counted"
_WRITES = ("INSERT", "UPDATE", "DELETE", "REPLACE", "MERGE")
_REFUSE_ENCRYPTION = {80877103, 80877104}


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement as the database got it."""

    connection: str
    sql: str

    @property
    def verb(self) -> str:
        """The first word, in capitals; a WITH counts as what it leads to."""
        word = self.sql.lstrip("( ").split(None, 1)[0].upper().rstrip(";") if self.sql.strip() else ""
        if word != "WITH":
            return word
        return next((verb for verb in _WRITES if f"{verb} " in self.sql.upper()), "SELECT")


@dataclass(frozen=True, slots=True)
class Counts:
    """Statements of one request; a write outside a transaction is a commit of its own."""

    selects: int = 0
    writes: int = 0
    commits: int = 0


class Journal(Protocol):
    """Statements so far, read from a mark on."""

    def mark(self) -> int:
        """The place where the journal ends now."""

    def since(self, mark: int) -> list[Statement]:
        """The statements after a mark."""


def count(statements: list[Statement]) -> Counts:
    """Counts SELECTs, writes and commits, transaction by transaction."""
    selects = writes = commits = 0
    inside: set[str] = set()
    for statement in statements:
        verb = statement.verb
        if verb == "SELECT":
            selects += 1
        elif verb in _WRITES:
            writes += 1
            commits += statement.connection not in inside
        elif verb in {"BEGIN", "START"}:
            inside.add(statement.connection)
        elif verb in {"COMMIT", "END"}:
            inside.discard(statement.connection)
            commits += 1
        elif verb == "ROLLBACK" and " TO " not in statement.sql.upper():
            inside.discard(statement.connection)
    return Counts(selects, writes, commits)


class TraceFile:
    """The journal that a traced SQLite server writes (see counted/sitecustomize.py)."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.touch()

    def environment(self) -> dict[str, str]:
        """What the server's environment needs."""
        inherited = os.environ.get("PYTHONPATH", "")
        return {"BENCH_STATEMENTS": str(self._path), "PYTHONPATH": os.pathsep.join(filter(None, (str(TRACED), inherited)))}

    def mark(self) -> int:
        """The file's size now."""
        return self._path.stat().st_size

    def since(self, mark: int) -> list[Statement]:
        """The statements written after a mark."""
        with self._path.open("rb") as file:
            file.seek(mark)
            rows = file.read().decode(errors="replace").splitlines()
        parts = (row.partition("\t") for row in rows if "\t" in row)
        return [Statement(connection, sql) for connection, _, sql in parts]


class PostgresProxy:
    """A TCP proxy before PostgreSQL; every statement that passes is kept, prepared ones by the text they were parsed from."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._kept: list[Statement] = []
        self._server: asyncio.Server | None = None

    async def start(self) -> int:
        """Listens on a free port of 127.0.0.1 and says which."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return int(self._server.sockets[0].getsockname()[1])

    def close(self) -> None:
        """Stops listening."""
        if self._server:
            self._server.close()

    def mark(self) -> int:
        """How many statements passed so far."""
        return len(self._kept)

    def since(self, mark: int) -> list[Statement]:
        """The statements that passed after a mark."""
        return self._kept[mark:]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back_reader, back_writer = await asyncio.open_connection(self._host, self._port)
        answers = asyncio.create_task(_copy(back_reader, writer))
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            await self._read_client(reader, writer, back_writer)
        back_writer.close()
        await answers

    async def _read_client(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, back: asyncio.StreamWriter
    ) -> None:
        connection = str(id(reader))
        parsed: dict[bytes, str] = {}
        while True:
            size = await reader.readexactly(4)
            body = await reader.readexactly(struct.unpack("!I", size)[0] - 4)
            if struct.unpack("!I", body[:4])[0] not in _REFUSE_ENCRYPTION:
                break
            writer.write(b"N")
        back.write(size + body)
        while True:
            kind, size = await reader.readexactly(1), await reader.readexactly(4)
            body = await reader.readexactly(struct.unpack("!I", size)[0] - 4)
            if sql := _statement(kind, body, parsed):
                self._kept.append(Statement(connection, " ".join(sql.split())))
            back.write(kind + size + body)


def _statement(kind: bytes, body: bytes, parsed: dict[bytes, str]) -> str:
    """The SQL that a frontend message runs: a simple query, or a bind of what was parsed before."""
    if kind == b"Q":
        return body.rstrip(b"\0").decode(errors="replace")
    if kind == b"P":
        name, sql, _ = body.split(b"\0", 2)
        parsed[name] = sql.decode(errors="replace")
    elif kind == b"B":
        _, name, _ = body.split(b"\0", 2)
        return parsed.get(name, "")
    return ""


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
    writer.close()
