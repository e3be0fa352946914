"""A visitor's conversations, their messages, and what the visitor keeps."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest

from apps.models import Conversation, Message, PinnedConversation, SavedMessage
from difyproj.testing.console import TierClient
from difyproj.testing.served import Served

from .contract import UNKNOWN_ID, assert_error
from .test_file_upload import PNG
from .visits import asked, visit, written


def ids(page: Any) -> list[str]:
    return [row["id"] for row in page["data"]]


async def listed(visitor: TierClient, **params: str) -> Any:
    answer = await visitor.get("/conversations", **params)
    assert answer.status == 200, answer.body
    return answer.json()


async def begun(visitor: TierClient, count: int = 1) -> list[str]:
    """Conversations, oldest first."""
    return [(await asked(visitor))["conversation_id"] for _ in range(count)]


async def test_the_newest_used_comes_first(house: Served) -> None:
    visitor = await visit(house)
    first, second = await begun(visitor, 2)
    await asked(visitor, conversation_id=first)
    page = await listed(visitor)
    assert (ids(page), page["limit"], page["has_more"]) == ([first, second], 20, False)
    row = page["data"][0]
    assert set(row) == {"id", "name", "inputs", "status", "introduction", "created_at", "updated_at"}
    assert (row["name"], row["introduction"]) == ("New conversation", "Hello!")
    assert ids(await listed(visitor, sort_by="created_at")) == [first, second]
    page = await listed(visitor, limit="1")
    assert (ids(page), page["has_more"]) == ([first], True)
    assert ids(await listed(visitor, limit="1", last_id=first)) == [second]


async def test_pinned_conversations_are_listed_by_themselves(house: Served) -> None:
    visitor = await visit(house)
    first, second, third = await begun(visitor, 3)
    for _ in range(2):
        answer = await visitor.patch(f"/conversations/{first}/pin")
        assert (answer.status, answer.json()) == (200, {"result": "success"})
    assert await PinnedConversation.objects.acount() == 1
    assert ids(await listed(visitor, pinned="true")) == [first]
    assert ids(await listed(visitor, pinned="false")) == [third, second]
    assert ids(await listed(visitor, pinned="false", limit="1", last_id=third)) == [second]
    assert ids(await listed(visitor)) == [third, second, first]
    for _ in range(2):
        answer = await visitor.patch(f"/conversations/{first}/unpin")
        assert (answer.status, answer.json()) == (200, {"result": "success"})
    assert ids(await listed(visitor, pinned="true")) == []
    assert not await PinnedConversation.objects.aexists()


async def test_nobody_pins_or_unpins_for_another(house: Served) -> None:
    visitor = await visit(house)
    (made,) = await begun(visitor)
    await visitor.patch(f"/conversations/{made}/pin")
    for stranger in (await visit(house), await visit(house, house.foreign)):
        assert_error(await stranger.patch(f"/conversations/{made}/pin"), 404, "not_found")
        assert (await stranger.patch(f"/conversations/{made}/unpin")).status == 200
    for unknown in (UNKNOWN_ID, "no-uuid", "x" * 300):
        assert_error(await visitor.patch(f"/conversations/{unknown}/pin"), 404, "not_found")
        assert (await visitor.patch(f"/conversations/{unknown}/unpin")).json() == {"result": "success"}
    assert await PinnedConversation.objects.acount() == 1


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"limit": "0"}, "limit"), ({"limit": "101"}, "limit"), ({"last_id": "x"}, "last_id"), ({"sort_by": "name"}, "sort_by"),
        ({"pinned": "perhaps"}, "pinned"),
    ],
)  # fmt: skip
async def test_wrong_parameters_are_refused(house: Served, params: dict[str, str], field: str) -> None:
    visitor = await visit(house)
    assert_error(await visitor.get("/conversations", **params), 400, "invalid_param", params=field)


async def test_an_unknown_cursor_is_not_found(house: Served) -> None:
    visitor = await visit(house)
    (theirs,) = await begun(await visit(house))
    for cursor in (UNKNOWN_ID, theirs):
        assert_error(await visitor.get("/conversations", last_id=cursor), 404, "not_found")


async def test_visitors_and_integrators_see_their_own(house: Served) -> None:
    visitor, other = await visit(house), await visit(house)
    (made,) = await begun(visitor)
    assert ids(await listed(other)) == []
    await house.ask("Hello?", user="ann", response_mode="blocking", auto_generate_name=False)
    assert ids(await listed(await visit(house, user_id="ann"))) == []
    theirs = (await house.call("GET", "/v1/conversations", params={"user": "ann"})).json()
    assert made not in ids(theirs)


async def test_a_conversation_is_renamed_and_deleted_by_its_visitor_alone(house: Served) -> None:
    visitor = await visit(house)
    (made,) = await begun(visitor)
    path = f"/conversations/{made}"
    for stranger in (await visit(house), await visit(house, house.foreign)):
        assert_error(await stranger.post(f"{path}/name", {"name": "Stolen"}), 404, "not_found")
        assert_error(await stranger.post(f"{path}/name", {"auto_generate": True}), 404, "not_found")
        assert_error(await stranger.delete(path), 404, "not_found")
        assert_error(await stranger.get("/messages", conversation_id=made), 404, "not_found")
    answer = await visitor.post(f"{path}/name", {"name": " Whales "})
    assert (answer.status, answer.json()["name"]) == (200, "Whales")
    assert (await visitor.post(f"{path}/name", {"auto_generate": True})).json()["name"] == "Hello, world!"
    assert_error(await visitor.post(f"{path}/name", {}), 400, "invalid_param", params="name")
    answer = await visitor.delete(path)
    assert (answer.status, answer.body) == (204, b"")
    assert ids(await listed(visitor)) == []
    assert (await Conversation.objects.aget()).is_deleted
    assert_error(await visitor.delete(path), 404, "not_found")


async def test_the_history_has_the_shape_of_the_page(house: Served) -> None:
    visitor = await visit(house)
    first = await asked(visitor, "One?")
    second = await asked(visitor, "Two?", conversation_id=first["conversation_id"], parent_message_id=first["id"])
    await visitor.post(f"/messages/{first['id']}/feedbacks", {"rating": "like"})
    page = (await visitor.get("/messages", conversation_id=first["conversation_id"])).json()
    assert (ids(page), page["has_more"], page["limit"]) == ([first["id"], second["id"]], False, 20)
    row = page["data"][0]
    assert set(row) == {
        "id", "conversation_id", "parent_message_id", "inputs", "query", "answer", "message_files", "feedback",
        "retriever_resources", "agent_thoughts", "extra_contents", "created_at", "status", "error", "metadata",
    }  # fmt: skip
    assert (row["query"], row["answer"], row["feedback"]) == ("One?", "Hello, world!", {"rating": "like"})
    assert (row["metadata"], row["status"], row["error"]) == ({"retriever_resources": []}, "normal", None)
    assert page["data"][1]["parent_message_id"] == first["id"]
    older = (await visitor.get("/messages", conversation_id=first["conversation_id"], first_id=second["id"])).json()
    assert ids(older) == [first["id"]]


@pytest.mark.parametrize("params", [{}, {"conversation_id": "x"}, {"conversation_id": UNKNOWN_ID, "limit": "0"}])
async def test_the_history_needs_a_conversation(house: Served, params: dict[str, str]) -> None:
    assert_error(await (await visit(house)).get("/messages", **params), 400, "invalid_param")


async def saved(visitor: TierClient, **params: str) -> Any:
    answer = await visitor.get("/saved-messages", **params)
    assert answer.status == 200, answer.body
    return answer.json()


async def save(visitor: TierClient, message: str) -> Any:
    return await visitor.post("/saved-messages", {"message_id": message})


async def test_answers_are_kept_and_forgotten(house: Served) -> None:
    visitor = await visit(house, house.completion)
    made = [(await written(visitor, f"whale {number}"))["id"] for number in range(3)]
    for message in (made[1], made[0], made[2], made[0]):
        assert (await save(visitor, message)).json() == {"result": "success"}
    page = await saved(visitor)
    assert (ids(page), page["has_more"], page["limit"]) == ([made[2], made[0], made[1]], False, 20)
    row = page["data"][0]
    assert set(row) == {"id", "inputs", "query", "answer", "message_files", "feedback", "created_at"}
    assert (row["inputs"], row["answer"], row["feedback"]) == ({"query": "whale 2"}, "Hello, world!", None)
    page = await saved(visitor, limit="1")
    assert (ids(page), page["has_more"]) == ([made[2]], True)
    assert ids(await saved(visitor, last_id=made[2])) == [made[0], made[1]]
    for _ in range(2):
        answer = await visitor.delete(f"/saved-messages/{made[0]}")
        assert (answer.status, answer.body) == (204, b"")
    assert ids(await saved(visitor)) == [made[2], made[1]]
    assert await Message.objects.acount() == 3


async def test_nobody_keeps_or_forgets_for_another(house: Served) -> None:
    visitor, stranger = await visit(house, house.completion), await visit(house, house.completion)
    message = (await written(visitor))["id"]
    await save(visitor, message)
    assert_error(await save(stranger, message), 404, "not_found")
    assert (await stranger.delete(f"/saved-messages/{message}")).status == 204
    assert ids(await saved(stranger)) == []
    assert_error(await stranger.get("/saved-messages", last_id=message), 404, "not_found")
    for unknown in (UNKNOWN_ID, "no-uuid"):
        assert_error(await save(visitor, unknown), 404, "not_found")
        assert (await visitor.delete(f"/saved-messages/{unknown}")).status == 204
    assert_error(await visitor.post("/saved-messages", {}), 400, "invalid_param", params="message_id")
    assert_error(await visitor.post("/saved-messages", {"message_id": "a\0b"}), 400, "invalid_param", params="message_id")
    assert await SavedMessage.objects.acount() == 1


async def test_files_of_the_question_are_in_the_history(house: Served) -> None:
    images = {"image": {"enabled": True, "number_limits": 3, "transfer_methods": ["local_file"]}}
    await house.configure(house.chat, file_upload=images)
    visitor = await visit(house)
    form = aiohttp.FormData()
    form.add_field("file", PNG, filename="cat.png", content_type="image/png")
    file_id = (await visitor.post("/files/upload", data=form)).json()["id"]
    given = [{"type": "image", "transfer_method": "local_file", "upload_file_id": file_id}]
    body = await asked(visitor, files=given)
    (row,) = (await visitor.get("/messages", conversation_id=body["conversation_id"])).json()["data"]
    assert [(file["filename"], file["belongs_to"]) for file in row["message_files"]] == [("cat.png", "user")]
    stranger = await visit(house)
    answer = await stranger.post("/chat-messages", {"inputs": {}, "query": "x", "files": given})
    assert_error(answer, 400, "invalid_param", params="files")
