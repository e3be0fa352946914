"""The llm node's other ways: completion prompts, parameters from variables, files in texts, answers in a given form."""

from __future__ import annotations

from typing import Any

import pytest

from difyproj.infra.sandbox import get_sandbox
from difyproj.model_runtime.base import ModelRequest
from difyproj.model_runtime.messages import ImagePart, Role, TextPart
from difyproj.testing.fakes import KeptFiles, ScriptedModels, visible
from workflows.engine.events import NodeFinished, RunEvent, RunFailed
from workflows.engine.node import HistoryTurn
from workflows.engine.ports import Ports
from workflows.engine.values import FILE_MARK

from .graphs import LLM, chain, events_of

TURNS = [HistoryTurn("q1", "a1"), HistoryTurn("q2", "a2")]
CAT, DOG = ImagePart(url="http://f/cat.png"), ImagePart(url="http://f/dog.png")
CAT_FILE = {"dify_model_identity": FILE_MARK, "type": "image", "related_id": "cat"}
DOG_FILE = {"dify_model_identity": FILE_MARK, "type": "image", "id": "dog"}
SCHEMA = {"type": "object", "properties": {"age": {"type": "integer", "minimum": 0}}, "required": ["age"]}
FORMED = {**LLM, "structured_output_enabled": True, "structured_output": {"schema": SCHEMA}}


async def _ask(
    data: Any, *script: str, can: frozenset[str] = frozenset({"structured-output"}), **detail: Any
) -> tuple[ModelRequest | None, list[RunEvent]]:
    models = ScriptedModels(script or ("ok",), can=can)
    ports = Ports(models, KeptFiles({"cat": CAT, "dog": DOG}), sandbox=get_sandbox())
    events = await events_of(chain(("llm", "llm", data), ("answer", "answer", {"answer": "{{#llm.text#}}"})), ports, **detail)
    return (models.requests[0] if models.requests else None), events


def _only(request: ModelRequest | None) -> str:
    assert request is not None
    (message,) = request.messages
    assert message.role is Role.USER
    return message.text


def _outputs(events: list[RunEvent]) -> dict[str, Any]:
    done = next(event for event in events if isinstance(event, NodeFinished) and event.node_id == "llm")
    assert done.outputs is not None, done.error
    return done.outputs


def _failure(events: list[RunEvent]) -> RunFailed:
    assert isinstance(events[-1], RunFailed)
    return events[-1]


COMPLETION = {"model": {**LLM["model"], "mode": "completion"}}  # type: ignore[dict-item]
REMEMBERS = {"memory": {"role_prefix": {"user": "You", "assistant": ""}, "window": None}}


async def test_a_completion_prompt_is_one_text_with_its_places_filled() -> None:
    text = "Know {{#context#}}.\n{{#histories#}}\nYou: {{#query#}}\nMe:"
    data = {**COMPLETION, **REMEMBERS, "prompt_template": {"text": text, "edition_type": "basic"}}
    data["context"] = {"enabled": True, "variable_selector": ["start", "found"]}
    request, _ = await _ask(data, query="now? {{#histories#}}", inputs={"found": "facts {{#query#}}"}, history=TURNS)
    talk = "You: q1\nAssistant: a1\nYou: q2\nAssistant: a2"
    assert _only(request) == f"Know facts {{{{#query#}}}}.\n{talk}\nYou: now? {{{{#histories#}}}}\nMe:"
    assert request is not None and request.mode == "completion"


async def test_a_completion_prompt_without_a_place_for_it_has_the_conversation_before() -> None:
    data = {**COMPLETION, **REMEMBERS, "prompt_template": {"text": "Go on: {{#sys.query#}}"}}
    request, _ = await _ask(data, query="now?", history=TURNS[:1])
    assert _only(request) == "You: q1\nAssistant: a1\nGo on: now?"
    request, _ = await _ask(data, query="now?")
    assert _only(request) == "Go on: now?"
    request, _ = await _ask({**data, "memory": None, "prompt_template": {"text": "A{{#histories#}}B"}}, history=TURNS)
    assert _only(request) == "AB"


JINJA = {"jinja2_variables": [{"variable": "names", "value_selector": ["start", "names"]}]}


async def test_a_prompt_may_be_written_in_jinja2() -> None:
    row = {"text": "old", "edition_type": "jinja2", "jinja2_text": "{% for one in names %}Hi {{ one }}! {% endfor %}{{ gone }}"}
    data = {
        **LLM,
        "prompt_config": JINJA,
        "prompt_template": [{"role": "system", "text": "{{ names }}"}, {"role": "user", **row}],
    }
    request, _ = await _ask(data, inputs={"names": ["Ann", "{{#sys.query#}}"]})
    assert request is not None
    assert [message.text for message in request.messages] == ["{{ names }}", "Hi Ann! Hi {{#sys.query#}}! "]
    data = {**COMPLETION, **REMEMBERS, "prompt_config": JINJA, "prompt_template": row}
    request, _ = await _ask(data, inputs={"names": ["Ann"]}, history=TURNS[:1])
    assert _only(request) == "You: q1\nAssistant: a1\nHi Ann! "


@pytest.mark.parametrize(("text", "inputs", "word"), [("{% for %}", {"names": []}, "rendered"), ("x", {}, "start.names")])
async def test_a_jinja2_prompt_that_is_wrong_is_a_clear_error(text: str, inputs: dict[str, Any], word: str) -> None:
    rows = [{"role": "user", "text": text, "edition_type": "jinja2"}]
    request, events = await _ask({**LLM, "prompt_config": JINJA, "prompt_template": rows}, inputs=inputs)
    assert request is None and _failure(events).code == "invalid_param" and word in _failure(events).message


async def test_parameters_may_refer_to_values() -> None:
    given = {
        "temperature": "{{#start.t#}}",
        "top_k": "{{#start.k#}}",
        "stop": "{{#start.s#}}",
        "echo": "{{#start.b#}}",
        "as": "1",
    }
    data = {**LLM, "model": {**LLM["model"], "completion_params": given}}  # type: ignore[dict-item]
    request, _ = await _ask(data, inputs={"t": 0.5, "k": "7", "s": "x" * 2000, "b": True})
    assert request is not None
    assert request.parameters == {"temperature": 0.5, "top_k": 7, "echo": True, "as": "1"}
    assert request.stop == ("x" * 1024,)
    request, events = await _ask(data)
    assert request is None and "start.t" in _failure(events).message


async def test_parts_that_a_file_leaves_null_mean_their_defaults() -> None:
    model = {**LLM["model"], "completion_params": None}  # type: ignore[dict-item]
    data = {**LLM, "model": model, "vision": {"enabled": True, "configs": None}, "context": None, "structured_output": None}
    request, _ = await _ask({**data, "structured_output_enabled": True}, files=["cat"])
    assert request is not None and not request.parameters and request.response_schema is None
    assert request.messages[-1].content == (CAT, TextPart("Hi"))


async def test_files_that_a_text_refers_to_stand_behind_it() -> None:
    data = {
        **LLM,
        "prompt_template": [{"role": "user", "text": "See {{#start.pet#}}"}, {"role": "user", "text": "{{#start.all#}}"}],
    }
    request, _ = await _ask(data, inputs={"pet": CAT_FILE, "all": [CAT_FILE, DOG_FILE, {**DOG_FILE, "id": "gone"}]})
    assert request is not None
    assert [message.content for message in request.messages] == [(TextPart("See "), CAT), (CAT, DOG)]


async def test_items_of_the_context_bring_their_summary_and_their_files() -> None:
    found = [{"content": "long", "summary": "short", "files": [DOG_FILE]}, {"content": "plain", "summary": None}, {"a": 1}]
    data = {
        **LLM,
        "prompt_template": [{"role": "user", "text": "{{#context#}}"}],
        "context": {"enabled": True, "variable_selector": ["start", "found"]},
        "vision": {"enabled": True},
    }
    request, _ = await _ask(data, inputs={"found": found}, files=["cat"])
    assert request is not None
    assert request.messages[-1].content == (CAT, DOG, TextPart('short\nlong\nplain\n{"a": 1}'))
    request, _ = await _ask({**data, "context": {"enabled": False, "variable_selector": []}}, inputs={"found": found})
    assert request is None


@pytest.mark.parametrize("said", [('{"age"', ": 7}"), ("<think>{}</think>Here: ```json\n{'age': 7,}\n```",)])
@pytest.mark.parametrize("switch", ["structured_output_enabled", "structured_output_switch_on"])
async def test_an_answer_in_the_given_form_is_an_output_of_its_own(said: tuple[str, ...], switch: str) -> None:
    data = {**LLM, switch: True, "structured_output": {"schema": SCHEMA, "enabled": True}}
    request, events = await _ask(data, *said)
    assert request is not None and request.response_schema == SCHEMA and len(request.messages) == 1
    assert _outputs(events)["structured_output"] == {"age": 7}
    assert _outputs(events)["text"] == visible(events) == "".join(said)


async def test_a_model_that_knows_no_forms_is_told_the_schema() -> None:
    request, _ = await _ask(FORMED, '{"age": 7}', can=frozenset())
    assert request is not None
    assert request.messages[0].role is Role.SYSTEM and '"minimum":0' in request.messages[0].text


async def test_without_its_switch_the_form_is_not_asked_for() -> None:
    request, events = await _ask({**FORMED, "structured_output_enabled": False}, '{"age": 7}')
    assert request is not None and request.response_schema is None and "structured_output" not in _outputs(events)


@pytest.mark.parametrize(
    ("said", "word"),
    [("I am seven.", "no JSON"), ('{"age": -1}', "age"), ("{}", "required"), ("[7]", "object"), ("7", "object")],
)
async def test_an_answer_in_another_form_fails_the_node(said: str, word: str) -> None:
    _, events = await _ask(FORMED, said)
    assert _failure(events).code == "completion_request_error" and word in _failure(events).message
    assert _failure(events).usage.total_tokens > 0


@pytest.mark.parametrize(
    ("schema", "word"),
    [
        (None, "no JSON Schema"),
        ({}, "no JSON Schema"),
        ("{", "no JSON Schema"),
        ({"type": "nope"}, "nope"),
        ({"$ref": "http://127.0.0.1:9/x.json"}, "127.0.0.1"),
        ({"$ref": "file:///etc/hosts"}, "hosts"),
        ({"pattern": "("}, "regex"),
    ],
)
async def test_a_schema_that_is_none_fails_before_the_model_is_asked(schema: Any, word: str) -> None:
    request, events = await _ask({**FORMED, "structured_output": {"schema": schema}})
    assert request is None and _failure(events).code == "invalid_param" and word in _failure(events).message
