"""Files in which anything may stand anywhere: each is taken or refused with a reason, and no workspace is ever half changed."""

from __future__ import annotations

import copy
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as some

from apps.dsl import document, reader
from apps.dsl.difference import difference, told
from apps.dsl.errors import DslError
from apps.dsl.report import Surroundings, report
from apps.models import App
from apps.services import dsl
from difyproj.testing.cast import Cast
from workflows.models import Workflow

from . import odd
from .dsl_files import NAMES, exported, losses, parsed, raw_of

ODD: list[Any] = [
    None, True, False, 0, -1, 2**63, 1.5, "", "x", "..", "../../etc/passwd", "{{#", "{{#a.b#}}", "😀", "x" * 300, [], [[]],
    [None], ["x", 1], {}, {"": ""}, {"x": {"y": []}}, [{}], {"id": []}, {"type": {}}, {"enabled": "maybe"}, [{"name": None}],
]  # fmt: skip


def paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    rows = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *[below for key, item in rows for below in paths(item, (*path, key))]] if path else [
        below for key, item in rows for below in paths(item, (key,))
    ]  # fmt: skip


PLACES = [(name, path) for name in NAMES for path in paths(raw_of(name))]


def changed(name: str, path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    raw = copy.deepcopy(raw_of(name))
    found: Any = raw
    for step in path[:-1]:
        found = found[step]
    found[path[-1]] = value
    return raw


@odd.search(400)
@given(some.sampled_from(PLACES), some.sampled_from(ODD))
def test_it_is_checked_written_and_compared_or_refused(place: tuple[str, tuple[Any, ...]], value: Any) -> None:
    raw = changed(*place, value)
    try:
        made = document.parse(reader.read(json.dumps(raw)))
    except DslError as error:
        assert error.message
        return
    assert all(finding.message for finding in report(made, Surroundings()))
    text = exported(made, secretly=True)
    assert exported(document.parse(reader.read(text)), secretly=True) == text
    changes = difference(parsed(place[0]), made)
    assert all(line for change in changes for line in told(change))


@odd.search(100)
@given(some.sampled_from(PLACES), some.sampled_from(ODD))
def test_it_becomes_an_app_or_nothing_at_all(cast: Cast, place: tuple[str, tuple[Any, ...]], value: Any) -> None:
    tenant, raw = cast.alice.tenant, changed(*place, value)
    before = App.objects.count(), Workflow.objects.count()
    result = dsl.take(tenant=tenant, by=cast.alice.account.pk, content=json.dumps(raw))
    if result.status in (dsl.Status.FAILED, dsl.Status.PENDING):
        assert bool(result.error) is (result.status is dsl.Status.FAILED)
        assert (App.objects.count(), Workflow.objects.count()) == before
        return
    app = App.objects.get(pk=str(result.app_id))
    text = dsl.export(app, include_secret=True)
    again = dsl.take(tenant=tenant, by=cast.alice.account.pk, content=text)
    assert dsl.export(App.objects.get(pk=str(again.app_id)), include_secret=True) == text
    assert all(finding.message for finding in dsl.check(dsl.document_of(app), tenant))
    if place[1][0] not in ("model_config", "app") and place[1] != ("dependencies",):
        assert list(losses(raw, reader.read(text))) == []
