"""SQLite lets one connection write at a time and has the others sleep and try again, up to 100 ms a time. Within a process a
lock does the same without sleeping: a thread that begins a transaction waits until the one before has ended its own.
Other processes are still waited for by SQLite's busy timeout.
"""

from __future__ import annotations

from collections import defaultdict
from threading import Lock
from typing import Any

from django.db.backends.sqlite3 import base

_places: defaultdict[str, Lock] = defaultdict(Lock)


class DatabaseWrapper(base.DatabaseWrapper):
    _holds_place = False

    def _start_transaction_under_autocommit(self) -> None:
        self._take_place()
        try:
            super()._start_transaction_under_autocommit()  # type: ignore[misc]
        except BaseException:
            self._give_place()
            raise

    def _commit(self) -> Any:
        try:
            return super()._commit()  # type: ignore[misc]
        finally:
            if self.connection is None or not self.connection.in_transaction:
                self._give_place()

    def _rollback(self) -> Any:
        try:
            return super()._rollback()  # type: ignore[misc]
        finally:
            self._give_place()

    def _close(self) -> Any:
        try:
            return super()._close()  # type: ignore[misc]
        finally:
            self._give_place()

    def _take_place(self) -> None:
        if not self._holds_place:
            _places[str(self.settings_dict["NAME"])].acquire()
            self._holds_place = True

    def _give_place(self) -> None:
        if self._holds_place:
            self._holds_place = False
            _places[str(self.settings_dict["NAME"])].release()
