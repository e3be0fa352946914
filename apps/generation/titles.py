"""New conversations get a name after their first answer, in the background."""

from __future__ import annotations

import asyncio
import logging
from uuid import UUID

from django.db import Error as DatabaseError

from apps.models import App, Conversation
from difyproj.infra import db, loop

from .invoke import plan_title, suggest_title
from .plan import Plan

logger = logging.getLogger("dify.api")

_writing: set[asyncio.Task[None]] = set()


def write_later(plan: Plan, conversation_id: UUID) -> None:
    """Start to name the conversation; on the loop."""
    task = loop.spawn(_write(plan.app, conversation_id), name=f"title-{conversation_id}")
    _writing.add(task)
    task.add_done_callback(_writing.discard)


async def settle(seconds: float) -> None:
    """Wait for the titles that are being written, at most so long."""
    if _writing:
        await asyncio.wait(_writing, timeout=seconds)


async def _write(app: App, conversation_id: UUID) -> None:
    try:
        conversation = await db.run(Conversation.objects.filter(pk=conversation_id, name="").first)
        if conversation is not None:
            await suggest_title(await db.run(plan_title, app, conversation))
    except DatabaseError as error:
        logger.warning("A conversation stays without a name: %s", error, extra={"conversation_id": str(conversation_id)})
