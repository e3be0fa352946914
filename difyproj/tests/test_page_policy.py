"""Pages say what their scripts may be: the admin's, the browsable API's, the OpenAPI documents'."""

from __future__ import annotations

import re

import pytest

from difyproj.testing.console import signed_in
from difyproj.testing.served import Served

INLINE = re.compile(r"<script(?![^>]*\bsrc=)(?![^>]*application/json)([^>]*)>")


def directives(policy: str) -> dict[str, list[str]]:
    return {words[0]: words[1:] for part in policy.split(";") if (words := part.split())}


@pytest.mark.parametrize("path", ["/v1/docs", "/v1/redoc", "/admin/login/"])
async def test_a_page_runs_its_own_scripts_only_and_is_not_framed(house: Served, path: str) -> None:
    answer = await house.call("GET", path, headers={"Accept": "text/html"})
    assert answer.status == 200
    policy = directives(answer.headers["Content-Security-Policy"])
    assert policy["frame-ancestors"] == ["'none'"]
    assert policy["object-src"] == ["'none'"]
    assert "'unsafe-inline'" not in policy["script-src"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    inline = INLINE.findall(answer.body.decode())
    assert all(
        f"'nonce-{found.group(1)}'" in policy["script-src"] for tag in inline if (found := re.search('nonce="([^"]+)"', tag))
    )
    assert all("nonce=" in tag for tag in inline)


async def test_a_nonce_is_used_once(house: Served) -> None:
    first, second = [
        (await house.call("GET", "/v1/docs", headers={"Accept": "text/html"})).headers["Content-Security-Policy"]
        for _ in range(2)
    ]
    assert first != second


async def test_answers_that_are_no_pages_say_so_too(house: Served) -> None:
    for path in ("/v1/info", "/v1/nothing-here"):
        answer = await house.call("GET", path)
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Content-Type"].startswith("application/json")


async def test_no_answer_of_the_console_is_kept_by_anybody(house: Served) -> None:
    alice = await signed_in(house, house.cast.alice)
    for path in ("/account/profile", "/apps", "/nothing-here", "/setup"):
        assert (await alice.get(path)).headers["Cache-Control"] == "no-store", path
    assert "Cache-Control" not in (await house.call("GET", "/v1/info")).headers


async def test_pages_of_signing_in_compute_no_scripts(house: Served) -> None:
    for path in ("/signin", "/signin/done", "/signin/code", "/signin/with/nobody"):
        answer = await house.call("GET", path, headers={"Accept": "text/html", "Authorization": ""})
        assert "'unsafe-eval'" not in answer.headers["Content-Security-Policy"], path
    admin = await house.call("GET", "/admin/login/", headers={"Accept": "text/html"})
    assert "'unsafe-eval'" in admin.headers["Content-Security-Policy"]


async def test_the_page_of_a_form_has_no_scripts_and_styles_of_files_only(house: Served) -> None:
    answer = await house.call("GET", "/form/nonsense", headers={"Accept": "text/html", "Authorization": ""})
    assert answer.status == 404
    policy = directives(answer.headers["Content-Security-Policy"])
    assert (policy["script-src"], policy["style-src"], policy["connect-src"]) == (["'none'"], ["'self'"], ["'none'"])
    assert (policy["form-action"], policy["frame-ancestors"]) == (["'self'"], ["'none'"])
    assert policy["img-src"] == ["'self'", "data:"]
    assert (answer.headers["X-Content-Type-Options"], answer.headers["X-Robots-Tag"]) == ("nosniff", "noindex")
    assert "no-store" in answer.headers["Cache-Control"]
