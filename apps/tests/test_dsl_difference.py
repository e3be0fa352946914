"""What differs between two app files is told in nodes, edges, prompts and variables, each with the path of its field."""

from __future__ import annotations

from typing import Any

from apps.dsl import document, reader
from apps.dsl.difference import Change, How, difference, told

from .dsl_files import NAMES, exported, parsed, raw_of


def changes(name: str, change: Any) -> list[Change]:
    raw = raw_of(name)
    change(raw)
    return difference(parsed(name), document.parse(raw))


def lines(found: list[Change]) -> list[str]:
    return [line for change in found for line in told(change)]


def graph_of(raw: dict[str, Any]) -> Any:
    return raw["workflow"]["graph"]


def test_an_app_differs_in_nothing_from_its_export() -> None:
    for name in NAMES:
        made = parsed(name)
        assert difference(made, document.parse(reader.read(exported(made, secretly=True)))) == []


def test_a_change_of_a_prompt_is_a_unified_diff() -> None:
    def change(raw: dict[str, Any]) -> None:
        text = graph_of(raw)["nodes"][4]["data"]["prompt_template"][0]["text"]
        graph_of(raw)["nodes"][4]["data"]["prompt_template"][0]["text"] = text.replace("Your mood", "Their mood")

    assert lines(changes("chatflow_memory.yml", change)) == [
        "~ node 5 'Answerer' (llm): prompt_template.a.text",
        "    @@ -1,3 +1,3 @@",
        "     Use {{#context#}}.",
        "    -Your mood: {{#conversation.mood#}}",
        "    +Their mood: {{#conversation.mood#}}",
        "     Old: {{#99.text#}} {{#conversation.gone#}}",
    ]


def test_nodes_and_edges_come_and_go() -> None:
    def change(raw: dict[str, Any]) -> None:
        graph = graph_of(raw)
        graph["nodes"] = [node for node in graph["nodes"] if node["id"] not in ("shout", "1720000000000")]
        graph["nodes"].append({"id": "more", "data": {"type": "code", "title": "More"}})
        graph["edges"] = [edge for edge in graph["edges"] if edge["id"] != "ask-end"]
        graph["edges"].append({"source": "ask", "sourceHandle": "source", "target": "more"})

    assert lines(changes("workflow_orders.yml", change)) == [
        "- node shout 'Shout' (tool)",
        "- node 1720000000000 (note)",
        "+ node more 'More' (code)",
        "- edge ask[fail-branch] -> end",
        "+ edge ask -> more",
    ]


def test_a_node_that_only_moved_is_told_as_that() -> None:
    def change(raw: dict[str, Any]) -> None:
        graph_of(raw)["nodes"][0]["position"]["x"] = 99
        graph_of(raw)["nodes"][0]["positionAbsolute"]["x"] = 99
        graph_of(raw)["nodes"][0]["selected"] = False

    (moved,) = changes("workflow_orders.yml", change)
    assert (moved.how, list(told(moved))) == (How.MOVED, ["~ node start 'Start' (start) was moved"])


def test_fields_are_told_with_their_path_and_both_values() -> None:
    def change(raw: dict[str, Any]) -> None:
        raw["app"]["name"] = "Letters"
        raw["app"]["team"] = "sales"
        data = graph_of(raw)["nodes"][1]["data"]
        data["timeout"]["read"] = 61
        data["retry_config"].pop("max_retries")
        raw["workflow"]["environment_variables"][2]["value"] = 4
        raw["workflow"]["environment_variables"].pop(1)
        raw["workflow"]["features"]["opening_statement"] = "Hi"

    assert lines(changes("workflow_orders.yml", change)) == [
        "~ app: name 'Orders' -> 'Letters'",
        "~ node ask 'Ask the shop' (http-request): retry_config.max_retries 2 -> (nothing)",
        "~ node ask 'Ask the shop' (http-request): timeout.read 60 -> 61",
        "- environment_variables shop_key",
        "~ environment_variables tries: value 3 -> 4",
        "~ features: opening_statement '' -> 'Hi'",
        "~ file app: team 'logistics' -> 'sales'",
    ]


def test_a_config_is_compared_field_by_field() -> None:
    def change(raw: dict[str, Any]) -> None:
        config = raw["model_config"]
        config["model"]["name"] = "gpt-4o"
        config["pre_prompt"] = config["pre_prompt"].replace("three", "four")
        config["user_input_form"].reverse()

    found = changes("completion_slogans.yml", change)
    assert ("model.name", "'gpt-4o-mini'", "'gpt-4o'") in [(one.field, one.before, one.after) for one in found]
    (prompt,) = [one for one in found if one.field == "pre_prompt"]
    assert "-Write three slogans for {{product}}." in prompt.lines
    assert any(one.field.startswith("user_input_form") for one in found)


def test_rows_that_change_places_are_told() -> None:
    def change(raw: dict[str, Any]) -> None:
        graph_of(raw)["nodes"][1]["data"]["classes"].reverse()

    (turned,) = changes("chatflow_memory.yml", change)
    assert (turned.field, turned.before, turned.after) == ("classes", "1, 2", "2, 1")


def test_a_text_that_differs_only_in_its_ends_of_lines_is_told() -> None:
    def change(raw: dict[str, Any]) -> None:
        data = graph_of(raw)["nodes"][4]["data"]
        data["template"] = data["template"].replace("\r\n", "\n")

    (one,) = changes("workflow_orders.yml", change)
    assert one.lines == ("(only the ends of lines differ)",)
