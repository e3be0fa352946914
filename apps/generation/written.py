"""The annotations of one run: the question is compared with those that people answered, and what was given is noted."""

from __future__ import annotations

import logging
from typing import Any

from django.db import DatabaseError

from accounts.models import Account
from apps.models import App
from apps.modes.written import WrittenAnswer
from apps.services import annotation_reply
from apps.services.annotation_reply import Match, Reply
from difyproj.infra import db
from difyproj.kernel.principal import Principal
from workflows.engine.events import RunFinished

from .request import Reply as RunReply

LONGEST = 10_000

logger = logging.getLogger("dify.api")


class Written:
    """``find`` is what the run asks, ``note`` follows when it has ended."""

    def __init__(self, principal: Principal, reply: Reply) -> None:
        self._reply, self._tier = reply, principal.tier
        self._match: Match | None = None
        self._query = ""

    @classmethod
    def of(cls, principal: Principal, app: App) -> Written | None:
        """None for an app that does not answer by annotations; no query while warm."""
        reply = annotation_reply.of_app(app)
        return None if reply is None else cls(principal, reply)

    async def find(self, query: str) -> WrittenAnswer | None:
        text = query.strip()[:LONGEST]
        if not text or not self._reply.index.dimensions:
            return None
        embedder = await db.run(self._reply.embedder)
        made = await embedder.embed([text])
        self._match = await db.run(annotation_reply.nearest, self._reply, made.vectors[0])
        self._query = text
        if self._match is None:
            return None
        row = self._match.annotation
        account = await db.run(_account, row.account_id)
        return WrittenAnswer(row.content, {"id": str(row.pk), "account": account})

    async def note(self, end: Any, reply: RunReply) -> None:
        """A hit, for an answer that was given."""
        if self._match is None or not isinstance(end, RunFinished) or not end.metadata.get("annotation_reply"):
            return
        try:
            await db.run(
                annotation_reply.note, self._match, message_id=reply.message_id, question=self._query, source=str(self._tier)
            )
        except DatabaseError as error:
            logger.warning("That an annotation was given is not noted: %s", error, extra={"run_id": str(reply.run_id)})


def _account(account_id: Any) -> dict[str, str | None]:
    row = Account.objects.filter(pk=account_id).only("id", "name").first() if account_id else None
    return {"id": str(row.pk), "name": row.name} if row is not None else {"id": None, "name": ""}
