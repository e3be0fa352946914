"""How many statements a call costs, whichever thread of the pool runs it; heartbeats and polls beside it are left out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, ParamSpec
from unittest import mock

from django.db.backends.utils import CursorWrapper

P = ParamSpec("P")

BESIDE = ("infra_process", "infra_cacheversion")
NO_WORK = ("SAVEPOINT", "RELEASE", "BEGIN", "COMMIT", "ROLLBACK", "PRAGMA", "SELECT set_config")


@contextmanager
def counted() -> Iterator[list[str]]:
    """Gathers the statements of this process while it is open."""
    statements: list[str] = []
    execute, executemany = CursorWrapper.execute, CursorWrapper.executemany

    def note(sql: Any) -> None:
        text = str(sql)
        if not text.startswith(NO_WORK) and not any(table in text for table in BESIDE):
            statements.append(text)

    def counting_execute(self: CursorWrapper, sql: Any, params: Any = None) -> Any:
        note(sql)
        return execute(self, sql, params)

    def counting_executemany(self: CursorWrapper, sql: Any, param_list: Any) -> Any:
        note(sql)
        return executemany(self, sql, param_list)

    with (
        mock.patch.object(CursorWrapper, "execute", counting_execute),
        mock.patch.object(CursorWrapper, "executemany", counting_executemany),
    ):
        yield statements


async def queries_of(call: Callable[P, Awaitable[Any]], *args: P.args, **kwargs: P.kwargs) -> int:
    """The statements of the second of two equal calls: the first may have had to fill a cache."""
    await call(*args, **kwargs)
    with counted() as statements:
        await call(*args, **kwargs)
    return len(statements)
