"""Runs that nobody has any more end, one by one, whatever is wrong with one of them."""

from __future__ import annotations

import pytest
from asgiref.sync import sync_to_async

from apps.generation import reaper
from apps.models import Conversation, Message, Run, RunStatus
from difyproj.infra import backends
from difyproj.kernel import ids
from difyproj.testing.cast import Cast
from difyproj.testing.served import make_app


@pytest.fixture(autouse=True)
def _own_adapters() -> None:
    backends.reset()


def orphan(cast: Cast, *, with_message: bool) -> Run:
    app = make_app(cast.alice, "chat").app
    run = Run.objects.create(tenant=app.tenant, app=app, mode="chat", tier="service-api", process_id=ids.new_id())
    if with_message:
        talk = Conversation.objects.create(tenant=app.tenant, app=app, mode="chat", tier="service-api")
        Message.objects.create(tenant=app.tenant, app=app, conversation=talk, run=run, answer="So far", tier="service-api")
    return run


async def test_a_run_without_a_message_does_not_keep_the_others_from_ending(cast: Cast) -> None:
    bare = await sync_to_async(orphan)(cast, with_message=False)
    whole = await sync_to_async(orphan)(cast, with_message=True)
    assert await reaper.reap() == 2
    for run in (bare, whole):
        row = await Run.objects.aget(pk=run.pk)
        assert (row.status, row.error_code) == (RunStatus.FAILED, "worker_lost")
    message = await Message.objects.aget(run=whole)
    assert (message.answer, message.status) == ("So far", "error")
