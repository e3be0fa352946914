"""manage.py app: files in and out, what differs between them, and whether they are sound."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command

from apps.models import App
from apps.services import dsl
from difyproj.testing.cast import Cast
from workflows.models import Workflow

from .dsl_files import FOLDER, NAMES, exported, parsed, raw_of, text_of


def said(*arguments: str) -> str:
    out = io.StringIO()
    call_command("app", *arguments, stdout=out)
    return out.getvalue()


def ended(*arguments: str) -> tuple[int, str]:
    """The exit status and what was printed before."""
    out = io.StringIO()
    with pytest.raises(SystemExit) as caught:
        call_command("app", *arguments, stdout=out)
    return int(caught.value.code or 0), out.getvalue()


def refused(*arguments: str) -> str:
    with pytest.raises(CommandError) as caught:
        said(*arguments)
    return str(caught.value)


def taken(cast: Cast, name: str, *more: str) -> App:
    key, mode, _ = said("import", str(FOLDER / name), "--tenant", cast.alice.tenant.name, *more).split()
    app = App.objects.get(pk=key)
    assert app.mode == mode
    return app


def test_a_file_goes_in_and_comes_out(cast: Cast, tmp_path: Path) -> None:
    app = taken(cast, "workflow_orders.yml")
    assert (app.tenant_id, app.created_by_id) == (cast.alice.tenant.pk, cast.alice.account.pk)
    assert said("export", str(app.pk)) == exported(parsed("workflow_orders.yml"))
    target = tmp_path / "out.yml"
    assert said("export", str(app.pk), "--output", str(target), "--include-secret") == ""
    assert target.read_bytes() == exported(parsed("workflow_orders.yml"), secretly=True).encode()


def test_who_imports_and_what_it_is_called_may_be_chosen(cast: Cast) -> None:
    app = taken(cast, "chat_helper.yml", "--account", cast.bob.account.email.upper(), "--name", "../../evil")
    assert (app.created_by_id, app.name) == (cast.bob.account.pk, "../../evil")


def test_a_draft_is_replaced(cast: Cast) -> None:
    app = taken(cast, "workflow_orders.yml")
    assert taken(cast, "old_workflow.yml", "--over", str(app.pk)).pk == app.pk
    assert Workflow.objects.get(app=app).graph["nodes"][0]["id"] == "begin"


def test_the_standard_input_is_a_file_too(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text_of("chat_helper.yml").encode())))
    said("import", "-", "--tenant", str(cast.alice.tenant.pk))
    assert App.objects.filter(name="Library desk").count() == 1


def test_a_newer_file_needs_a_yes(cast: Cast, tmp_path: Path) -> None:
    file = tmp_path / "newer.json"
    file.write_text(json.dumps({**raw_of("chat_helper.yml"), "version": "9.0.0"}), encoding="utf-8")
    assert "--yes" in refused("import", str(file), "--tenant", cast.alice.tenant.name)
    assert not App.objects.filter(name="Library desk").exists()
    assert said("import", str(file), "--tenant", cast.alice.tenant.name, "--yes").split()[2] == "completed"


def test_what_cannot_be_done_is_told_in_a_sentence(cast: Cast, tmp_path: Path) -> None:
    file, tenant = str(FOLDER / "chat_helper.yml"), cast.alice.tenant.name
    broken = tmp_path / "broken.yml"
    broken.write_text("nodes: []", encoding="utf-8")
    assert "Missing app data" in refused("import", str(broken), "--tenant", tenant)
    assert "No such file" in refused("import", str(tmp_path / "none.yml"), "--tenant", tenant)
    assert "name one with --tenant" in refused("import", file)
    assert "no member" in refused("import", file, "--tenant", tenant, "--account", cast.eve.account.email)
    assert "App not found" in refused("import", file, "--tenant", tenant, "--over", str(uuid4()))
    assert "There is no app" in refused("export", str(uuid4()))
    assert "There is no app" in refused("export", "../../etc/passwd")
    assert "not an address" in refused("import", "http://169.254.169.254/x.yml", "--tenant", tenant)


def test_an_app_and_its_file_differ_in_nothing(cast: Cast, tmp_path: Path) -> None:
    app = taken(cast, "chatflow_memory.yml")
    file = tmp_path / "file.yml"
    file.write_text(dsl.export(app), encoding="utf-8")
    assert said("diff", str(file), str(app.pk)) == ""


def test_what_differs_is_printed_and_the_end_says_so(tmp_path: Path) -> None:
    raw: dict[str, Any] = raw_of("chatflow_memory.yml")
    raw["workflow"]["graph"]["nodes"][4]["data"]["prompt_template"][0]["text"] = "Say\n\x1b[31mred"
    raw["workflow"]["graph"]["edges"].pop()
    file = tmp_path / "new.json"
    file.write_text(json.dumps(raw), encoding="utf-8")
    status, out = ended("diff", str(FOLDER / "chatflow_memory.yml"), str(file))
    assert status == 1
    assert "~ node 5 'Answerer' (llm): prompt_template.a.text\n" in out
    assert "    +\N{REPLACEMENT CHARACTER}[31mred\n" in out and "\x1b" not in out
    assert "- edge 6 -> 7\n" in out


def test_sound_files_are_told_to_be_so() -> None:
    out = said("validate", *[str(FOLDER / name) for name in NAMES])
    assert out.count("version ") >= len(NAMES)
    assert "error" not in out
    assert "mapped: join 'Join': variable-assigner is variable-aggregator here." in out


def test_a_fault_is_printed_with_its_node_and_field_and_the_end_says_so(tmp_path: Path) -> None:
    raw = raw_of("chatflow_memory.yml")
    raw["workflow"]["graph"]["nodes"][4]["data"]["prompt_template"] = 5
    file, nothing = tmp_path / "faulty.json", tmp_path / "nothing.yml"
    file.write_text(json.dumps(raw), encoding="utf-8")
    nothing.write_text("- a", encoding="utf-8")
    status, out = ended("validate", str(file), str(nothing))
    assert status == 1
    assert f"{file}: error: 5 'Answerer', prompt_template: " in out
    assert f"{nothing}: error: Invalid YAML format: content must be a mapping" in out


def test_a_workspace_is_asked_for_what_it_lacks(cast: Cast) -> None:
    file = str(FOLDER / "chatflow_memory.yml")
    assert "has no credentials in this workspace" not in said("validate", file)
    assert "openai has no credentials in this workspace" in said("validate", file, "--tenant", cast.alice.tenant.name)


def test_an_export_never_names_its_own_file(cast: Cast, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = taken(cast, "chat_helper.yml", "--name", "../../evil")
    monkeypatch.chdir(tmp_path)
    said("export", str(app.pk))
    assert list(tmp_path.iterdir()) == []
