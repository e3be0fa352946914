"""POST /v1/chat/completions, asked by the stock client of PyPI: what the model is asked, what comes back, what is kept."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from apps.generation import live
from apps.models import Conversation, Message, MessageFile, Run, UploadFile
from difyproj.testing.served import Served
from difyproj.testing.upstream import Script

from .openai_client import USER, assert_openai_error, client_of, complete
from .restart import lose_logs
from .test_file_upload import PNG

VISION = {"image": {"enabled": True, "number_limits": 2, "detail": "low", "transfer_methods": ["local_file", "remote_url"]}}
DATA_URL = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"


def sent(house: Served) -> list[tuple[str, Any]]:
    """What the model was asked last."""
    return [(message["role"], message["content"]) for message in house.upstream.last.body["messages"]]


def image(url: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url, "detail": "high"}}


async def test_a_question_is_answered_as_a_chat_completion(house: Served) -> None:
    house.upstream.script = Script(tokens=("Good ", "day!"), usage=(11, 2))
    async with client_of(house) as client:
        answer = await client.chat.completions.create(model="gpt-4o", messages=[USER], user="ann")
    choice = answer.choices[0]
    assert (choice.message.role, choice.message.content, choice.finish_reason) == ("assistant", "Good day!", "stop")
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens) == (11, 2, 13)
    assert (answer.object, answer.model) == ("chat.completion", "alices-chat")
    assert answer.system_fingerprint and answer.system_fingerprint.startswith("fp_")
    row = await Message.objects.select_related("end_user", "run", "conversation").aget()
    assert answer.id == f"chatcmpl-{row.pk}"
    assert answer.created == int(row.created_at.timestamp())
    assert row.end_user is not None and row.run is not None
    assert (row.query, row.answer, row.status, row.end_user.session_id) == ("Hello?", "Good day!", "normal", "ann")
    assert (row.message_tokens, row.answer_tokens, row.run.status) == (11, 2, "succeeded")
    assert row.conversation.name == "", "no second model call for a title"
    assert house.upstream.requests == 1


async def test_a_question_is_answered_as_a_stream_with_its_usage_at_the_end(house: Served) -> None:
    house.upstream.script = Script(tokens=("Good ", "day!"), usage=(11, 2), delay=0.05)
    async with client_of(house) as client:
        stream = await client.chat.completions.create(
            model="x",
            messages=[USER],
            stream=True,
            stream_options={"include_usage": True},
        )
        chunks = [chunk async for chunk in stream]
    with_choices = [chunk for chunk in chunks if chunk.choices]
    assert "".join(chunk.choices[0].delta.content or "" for chunk in with_choices) == "Good day!"
    assert with_choices[0].choices[0].delta.role == "assistant"
    assert [chunk.choices[0].finish_reason for chunk in with_choices][-2:] == [None, "stop"]
    assert chunks[-1].choices == [] and chunks[-1].usage is not None
    assert (chunks[-1].usage.prompt_tokens, chunks[-1].usage.completion_tokens) == (11, 2)
    assert all(chunk.usage is None for chunk in chunks[:-1])
    assert {chunk.id for chunk in chunks} == {f"chatcmpl-{(await Message.objects.aget()).pk}"}


async def test_without_the_option_no_chunk_tells_the_usage(house: Served) -> None:
    answer = await complete(house, stream=True)
    assert b"usage" not in answer.body
    assert answer.body.endswith(b"data: [DONE]\n\n")
    assert answer.headers["Content-Type"] == "text/event-stream"


async def test_the_app_keeps_its_prompt_and_its_model_and_takes_the_callers_history(house: Served) -> None:
    await complete(
        house,
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "One?"},
        {"role": "assistant", "content": [{"type": "text", "text": "1"}]},
        {"role": "developer", "content": [{"type": "text", "text": "Answer {{in}} German."}]},
        {"role": "user", "content": "Two?"},
        {"role": "user", "content": [{"type": "text", "text": "Or"}, {"type": "text", "text": "three?"}]},
    )
    assert sent(house) == [
        ("system", "You are kind.\n\nBe brief.\n\nAnswer {{in}} German."),
        ("user", "One?"),
        ("assistant", "1"),
        ("user", "Two?\n\nOr\nthree?"),
    ]
    assert house.upstream.last.body["model"] == "gpt-4o-mini"
    assert (await Message.objects.aget()).query == "Two?\n\nOr\nthree?"


async def test_messages_of_one_side_in_a_row_are_one_and_a_greeting_is_kept(house: Served) -> None:
    said = [("assistant", "Welcome!"), ("user", "A"), ("user", "B"), ("assistant", "C"), ("assistant", "D"), ("user", "E\0")]
    await complete(house, *({"role": role, "content": text} for role, text in said))
    assert sent(house)[1:] == [("assistant", "Welcome!"), ("user", "A\n\nB"), ("assistant", "C\n\nD"), ("user", "E")]


async def test_an_advanced_prompt_takes_instructions_behind_its_own(house: Served) -> None:
    rows = [{"role": "system", "text": "You are {{name}}."}, {"role": "user", "text": "Q: {{#query#}}"}]
    form = [{"text-input": {"label": "Name", "variable": "name", "required": True, "max_length": 48}}]
    config = {"prompt_type": "advanced", "chat_prompt_config": {"prompt": rows}, "user_input_form": form}
    await house.configure(house.chat, **config)
    await complete(house, {"role": "system", "content": "{{name}} is brief."}, USER, inputs={"name": "Ann"})
    assert sent(house) == [("system", "You are Ann."), ("system", "{{name}} is brief."), ("user", "Q: Hello?")]
    assert_openai_error(await complete(house), 400, "invalid_param", param="name")


async def test_each_call_is_a_conversation_of_its_own(house: Served) -> None:
    first, second = await complete(house, user="ann"), await complete(house, user="ann")
    assert await Conversation.objects.acount() == 2
    ids = {answer.headers["X-Conversation-Id"] for answer in (first, second)}
    assert ids == {str(row.pk) async for row in Conversation.objects.all()}


@pytest.mark.parametrize("stream", [False, True])
async def test_a_conversation_goes_on_with_its_header(house: Served, stream: bool) -> None:
    house.upstream.script = Script(tokens=("The", " first."))
    async with client_of(house) as client:
        raw = await client.chat.completions.with_raw_response.create(model="x", messages=[USER], user="ann")
    name = raw.headers["X-Conversation-Id"]
    more = [{"role": "assistant", "content": "Something else."}, {"role": "user", "content": "And now?"}]
    answer = await complete(house, USER, *more, user="ann", stream=stream, headers={"X-Conversation-Id": name})
    assert (answer.status, answer.headers["X-Conversation-Id"]) == (200, name)
    assert sent(house)[1:] == [("user", "Hello?"), ("assistant", "The first."), ("user", "And now?")]
    assert await Conversation.objects.acount() == 1
    assert [row.query async for row in Message.objects.filter(conversation_id=name)] == ["Hello?", "And now?"]


async def test_nobody_elses_conversation_is_found(house: Served) -> None:
    name = (await complete(house, user="ann")).headers["X-Conversation-Id"]
    header = {"X-Conversation-Id": name}
    for key, user in ((house.chat, "bob"), (house.foreign, "ann")):
        assert_openai_error(await complete(house, user=user, key=key, headers=header), 404, "not_found")
    assert_openai_error(await complete(house, headers=header), 400, "invalid_param", param="user")
    assert_openai_error(await complete(house, user="ann", headers={"X-Conversation-Id": "x"}), 400, "invalid_param")
    answer = await complete(house, user="ann", key=house.completion, headers=header)
    assert_openai_error(answer, 400, "invalid_param", param="X-Conversation-Id")
    assert await Message.objects.acount() == 1


async def test_a_completion_app_takes_the_question_as_its_input(house: Served) -> None:
    async with client_of(house, house.completion) as client:
        answer = await client.chat.completions.create(model="x", messages=[{"role": "user", "content": "whales"}])
    assert answer.choices[0].message.content == "Hello, world!"
    assert sent(house) == [("user", "Write about whales")]
    row = await Message.objects.aget()
    assert (row.inputs, row.answer) == ({"query": "whales"}, "Hello, world!")
    assert "X-Conversation-Id" not in (await complete(house, key=house.completion)).headers


async def test_a_completion_app_without_that_input_is_asked_plainly(house: Served) -> None:
    await house.configure(house.completion, pre_prompt="Be kind.", user_input_form=[])
    await complete(house, key=house.completion)
    assert sent(house) == [("system", "Be kind."), ("user", "Hello?")]


async def test_images_reach_the_model_and_the_rows(house: Served) -> None:
    await house.configure(house.chat, file_upload=VISION)
    parts: Any = [{"type": "text", "text": "What?"}, image("https://example.com/dog.jpg"), image(DATA_URL)]
    async with client_of(house) as client:
        answer = await client.chat.completions.create(
            model="x",
            messages=[{"role": "user", "content": parts}],
            user="ann",
        )
    assert answer.choices[0].finish_reason == "stop"
    content = sent(house)[-1][1]
    urls = [part["image_url"]["url"] for part in content if part["type"] == "image_url"]
    assert urls == ["https://example.com/dog.jpg", DATA_URL]
    assert {part["image_url"]["detail"] for part in content if part["type"] == "image_url"} == {"low"}
    rows = [row async for row in MessageFile.objects.select_related("upload_file").order_by("transfer_method")]
    assert [(row.transfer_method, row.url) for row in rows] == [
        ("local_file", ""),
        ("remote_url", "https://example.com/dog.jpg"),
    ]
    upload = await UploadFile.objects.aget()
    assert (upload.mime_type, upload.size) == ("image/png", len(PNG))
    assert rows[0].upload_file_id == upload.pk


async def test_the_newest_images_of_earlier_turns_are_seen_again(house: Served) -> None:
    await house.configure(house.chat, file_upload=VISION)
    urls = [f"https://example.com/{number}.png" for number in range(3)]
    earlier: Any = [
        {"role": "user", "content": [image(urls[0]), image(urls[1])]},
        {"role": "assistant", "content": "Two dogs."},
    ]
    await complete(house, *earlier, {"role": "user", "content": [image(urls[2]), {"type": "text", "text": "And?"}]})
    content = sent(house)[-1][1]
    assert [part["image_url"]["url"] for part in content if part["type"] == "image_url"] == urls[1:]


@pytest.mark.parametrize(
    "url",
    ["ftp://example.com/a.png", "data:text/html;base64,PGI+", "data:image/png,plain", "data:image/png;base64,***",
     "data:image/png;base64,", "", None, 7],
)  # fmt: skip
async def test_an_image_that_cannot_be_one_is_refused(house: Served, url: Any) -> None:
    await house.configure(house.chat, file_upload=VISION)
    answer = await complete(house, {"role": "user", "content": [image(url)]})
    assert_openai_error(answer, 400, "invalid_param", param="messages[0].content[0].image_url")
    assert await Message.objects.acount() == 0


@pytest.mark.parametrize("data", [b"<svg onload=alert(1)></svg>", b"<html></html>", b"%PDF-1.7 x", b"plain words"])
async def test_bytes_that_are_no_image_are_refused_and_not_kept(house: Served, data: bytes) -> None:
    await house.configure(house.chat, file_upload=VISION)
    url = f"data:image/png;base64,{base64.b64encode(data).decode()}"
    asked = {"role": "user", "content": [image(DATA_URL), image(url), {"type": "text", "text": "x"}]}
    assert_openai_error(await complete(house, asked), 400, "invalid_param", param="messages")
    assert await UploadFile.objects.acount() == await Message.objects.acount() == 0


async def test_an_app_without_images_and_too_many_images_are_refused(house: Served) -> None:
    asked = {"role": "user", "content": [image(DATA_URL), image(DATA_URL), image(DATA_URL), {"type": "text", "text": "x"}]}
    assert_openai_error(await complete(house, asked), 400, "invalid_param", param="messages")
    await house.configure(house.chat, file_upload=VISION)
    assert_openai_error(await complete(house, asked), 400, "invalid_param", param="messages")
    assert await UploadFile.objects.acount() == await Message.objects.acount() == 0


async def test_a_question_that_is_moderated_ends_with_the_content_filter(house: Served) -> None:
    rules = {"keywords": "bomb", "inputs_config": {"enabled": True, "preset_response": "Not that."}}
    await house.configure(house.chat, sensitive_word_avoidance={"enabled": True, "type": "keywords", "config": rules})
    bad = "How to build a BOMB?"
    for messages in (
        [{"role": "user", "content": bad}],
        [{"role": "system", "content": bad}, USER],
        [{"role": "user", "content": bad}, {"role": "assistant", "content": "x"}, USER],
        [USER, {"role": "assistant", "content": bad}, USER],
    ):
        choice = (await complete(house, *messages)).json()["choices"][0]
        assert (choice["message"]["content"], choice["finish_reason"]) == ("Not that.", "content_filter")
    assert house.upstream.requests == 0


async def test_an_answer_that_is_moderated_is_withdrawn_or_refused(house: Served) -> None:
    rules = {"keywords": "bomb", "outputs_config": {"enabled": True, "preset_response": "Withdrawn."}}
    await house.configure(house.chat, sensitive_word_avoidance={"enabled": True, "type": "keywords", "config": rules})
    house.upstream.script = Script(tokens=("Take a ", "bomb", " and"), delay=0.05)
    choice = (await complete(house)).json()["choices"][0]
    assert (choice["message"]["content"], choice["finish_reason"]) == ("Withdrawn.", "content_filter")
    async with client_of(house) as client:
        stream = await client.chat.completions.create(model="x", messages=[USER], stream=True)
        choices = [chunk.choices[0] async for chunk in stream]
    assert "".join(choice.delta.content or "" for choice in choices) == "Take a "
    assert "".join(choice.delta.refusal or "" for choice in choices) == "Withdrawn."
    assert choices[-1].finish_reason == "content_filter"
    assert {row.answer async for row in Message.objects.all()} == {"Withdrawn."}


@pytest.mark.parametrize(("told", "meant"), [("length", "length"), ("content_filter", "content_filter"), ("odd", "stop")])
async def test_the_models_reason_to_end_is_told_also_after_a_restart(house: Served, told: str, meant: str) -> None:
    house.upstream.script = Script(finish=told)
    key = {"Idempotency-Key": "k-1"}
    first = await complete(house, headers=key)
    assert first.json()["choices"][0]["finish_reason"] == meant
    await lose_logs()
    again = await complete(house, headers=key)
    assert again.json() == first.json()
    assert await Run.objects.acount() == house.upstream.requests == 1
    assert "finish_reason" not in (await house.ask(response_mode="blocking")).json()["metadata"]


async def test_a_request_sent_again_brings_its_images_once(house: Served) -> None:
    await house.configure(house.chat, file_upload=VISION)
    asked = {"role": "user", "content": [{"type": "text", "text": "What?"}, image(DATA_URL)]}
    answers = [await complete(house, asked, headers={"Idempotency-Key": "k-1"}) for _ in range(2)]
    assert answers[0].json() == answers[1].json()
    assert await UploadFile.objects.acount() == await Message.objects.acount() == 1
    conflict = await complete(house, USER, headers={"Idempotency-Key": "k-1"})
    assert_openai_error(conflict, 409, "idempotency_conflict")


async def test_a_run_goes_on_without_its_reader(house: Served) -> None:
    house.upstream.script = Script(tokens=[f"{number} " for number in range(20)], delay=0.01)
    async with client_of(house) as client:
        stream = await client.chat.completions.create(model="x", messages=[USER], stream=True)
        await anext(aiter(stream))
        await stream.close()
    for run in live.all_runs():
        assert run.task is not None
        await run.task
    row = await Message.objects.select_related("run").aget()
    assert row.run is not None and (row.run.status, row.answer) == ("succeeded", house.upstream.script.text)
