"""The name that a conversation gets by itself: after its first answer, and never over a name that somebody gave."""

from __future__ import annotations

import asyncio

from apps.models import Conversation
from difyproj.testing.served import Served
from difyproj.testing.upstream import Script


async def titled(house: Served, conversation_id: str) -> Conversation:
    """The conversation once the model was asked for its name and that was worked on."""
    for _ in range(200):
        names = [task.get_name() for task in asyncio.all_tasks()]
        if house.upstream.requests >= 2 and f"title-{conversation_id}" not in names:
            break
        await asyncio.sleep(0.01)
    return await Conversation.objects.aget(pk=conversation_id)


async def test_a_new_conversation_is_named_by_the_model(house: Served) -> None:
    house.upstream.script = Script(tokens=("Small ", "talk"))
    body = (await house.ask(response_mode="blocking")).json()
    assert (await titled(house, body["conversation_id"])).name == "Small talk"


async def test_a_name_that_somebody_gave_meanwhile_stays(house: Served) -> None:
    house.upstream.script = Script(tokens=("Small ", "talk"), first_delay=0.2)
    conversation_id = (await house.ask(response_mode="blocking")).json()["conversation_id"]
    renamed = await house.call("POST", f"/v1/conversations/{conversation_id}/name", json={"name": "Mine", "user": "u1"})
    assert renamed.status == 200
    assert (await titled(house, conversation_id)).name == "Mine"


async def test_being_named_does_not_move_a_conversation_up(house: Served) -> None:
    house.upstream.script = Script(tokens=("Small ", "talk"), first_delay=0.2)
    conversation_id = (await house.ask(response_mode="blocking")).json()["conversation_id"]
    before = await Conversation.objects.aget(pk=conversation_id)
    after = await titled(house, conversation_id)
    assert (before.name, after.name, after.updated_at) == ("", "Small talk", before.updated_at)


async def test_characters_that_no_database_takes_are_left_out_of_names(house: Served) -> None:
    house.upstream.script = Script(tokens=("Sm\0all ", "talk"))
    conversation_id = (await house.ask(response_mode="blocking")).json()["conversation_id"]
    assert (await titled(house, conversation_id)).name == "Small talk"
    renamed = await house.call("POST", f"/v1/conversations/{conversation_id}/name", json={"auto_generate": True, "user": "u1"})
    assert (renamed.status, renamed.json()["name"]) == (200, "Small talk")
