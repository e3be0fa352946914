"""Apps that are a prompt, turned into apps that are a graph: the model is asked the same as before."""

from __future__ import annotations

from typing import Any

import pytest
from asgiref.sync import sync_to_async

from apps.models import App
from apps.models.token import TokenKind
from apps.services import tokens
from difyproj.testing.console import TierClient, signed_in
from difyproj.testing.served import Key, Served
from workflows.services import drafts, versions

WORD = {"text-input": {"label": "Who", "variable": "who", "required": False, "max_length": 20}}
ADVANCED = {
    "prompt_type": "advanced",
    "chat_prompt_config": {"prompt": [{"role": "system", "text": "Be {{who}}."}, {"role": "user", "text": "Say: {{#query#}}"}]},
}


@pytest.fixture
async def bob(house: Served) -> TierClient:
    return await signed_in(house, house.cast.bob)


async def converted(bob: TierClient, key: Key, **fields: Any) -> Key:
    """The new app, published."""
    answer = await bob.post(f"/apps/{key.app.pk}/convert-to-workflow", fields)
    assert answer.status == 200, answer.body
    app = await App.objects.select_related("tenant").aget(pk=answer.json()["new_app_id"])
    await sync_to_async(versions.publish)(app, by=None)
    _, token = await sync_to_async(tokens.create)(tenant=app.tenant, app=app, kind=TokenKind.APP)
    return Key(app, token)


async def heard(house: Served, key: Key, path: str, *bodies: dict[str, Any]) -> Any:
    """What the model got with the last of these requests of one conversation."""
    talk: dict[str, str] = {}
    for body in bodies:
        whole = {"user": "u1", "response_mode": "blocking", "inputs": {}, **talk, **body}
        answer = await house.call("POST", path, key=key, json=whole)
        assert answer.status == 200, answer.body
        talk = {name: value for name, value in answer.json().items() if name == "conversation_id"}
    return house.upstream.last.body["messages"]


@pytest.mark.parametrize(
    "prompt", [{"pre_prompt": "Be kind to {{who}}, {{nobody}}."}, {}, ADVANCED], ids=["simple", "none", "own"]
)
async def test_a_chat_app_becomes_a_chatflow_that_asks_the_same(house: Served, bob: TierClient, prompt: dict[str, Any]) -> None:
    await house.configure(house.chat, **{"user_input_form": [WORD], "pre_prompt": "", **prompt})
    made = await converted(bob, house.chat, name="Flow")
    assert (made.app.name, made.app.mode, made.app.icon) == ("Flow", "advanced-chat", house.chat.app.icon)
    # An own prompt with a place for the question says it before the conversation, its graph behind it.
    questions = ("One?",) if prompt is ADVANCED else ("One?", "Two?")
    asked = [{"query": query, "inputs": {"who": "Ann"}, "auto_generate_name": False} for query in questions]
    before = await heard(house, house.chat, "/v1/chat-messages", *asked)
    assert await heard(house, made, "/v1/chat-messages", *asked) == before
    row = await sync_to_async(drafts.get)(made.app)
    assert row.features["opening_statement"] == "Hello!"
    assert [node["id"] for node in row.graph["nodes"]] == ["start", "llm", "answer"]


async def test_a_completion_app_becomes_a_workflow_that_asks_the_same(house: Served, bob: TierClient) -> None:
    made = await converted(bob, house.completion)
    assert (made.app.name, made.app.mode) == (f"{house.completion.app.name}(workflow)", "workflow")
    asked = {"inputs": {"query": "tea"}}
    before = await heard(house, house.completion, "/v1/completion-messages", asked)
    assert await heard(house, made, "/v1/workflows/run", asked) == before
    again = await bob.post(f"/apps/{made.app.pk}/convert-to-workflow")
    assert (again.status, again.json()["code"]) == (404, "app_not_found")


async def test_knowledge_and_files_go_along(house: Served, bob: TierClient) -> None:
    datasets = {"datasets": {"datasets": [{"dataset": {"enabled": True, "id": "d1"}}]}, "top_k": 3}
    files = {"image": {"enabled": True, "number_limits": 2, "detail": "low", "transfer_methods": ["local_file"]}}
    await house.configure(house.chat, dataset_configs=datasets, file_upload=files)
    answer = await bob.post(f"/apps/{house.chat.app.pk}/convert-to-workflow")
    row = await sync_to_async(drafts.get)(await App.objects.select_related("tenant").aget(pk=answer.json()["new_app_id"]))
    start, knowledge, llm, _ = row.graph["nodes"]
    assert (knowledge["data"]["dataset_ids"], knowledge["data"]["query_variable_selector"]) == (["d1"], ["sys", "query"])
    assert knowledge["data"]["multiple_retrieval_config"]["top_k"] == 3
    assert llm["data"]["context"] == {"enabled": True, "variable_selector": ["knowledge-retrieval", "result"]}
    assert llm["data"]["vision"]["configs"]["detail"] == "low" and "{{#context#}}" in llm["data"]["prompt_template"][0]["text"]
    assert row.features["file_upload"]["image"]["number_limits"] == 2
    assert row.graph["edges"][0]["source"] == start["id"] and row.graph["edges"][0]["target"] == knowledge["id"]
