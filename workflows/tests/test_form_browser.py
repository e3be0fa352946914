"""A form in a real browser without scripts: opened, filled, sent once, and refused the second time."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.contrib.staticfiles import finders

from difyproj.testing.chromium import CHROMIUM, tab
from difyproj.testing.served import Key, Served
from workflows.models import HumanInputForm

from .test_form_page import asking as asking
from .test_form_page import ended, paused

HEADING = "document.querySelector('h1')?.textContent"


@pytest.mark.skipif(not CHROMIUM.exists(), reason="There is no Chromium here; Debian's package chromium has one.")
async def test_a_person_answers_in_a_browser_and_the_run_goes_on(house: Served, asking: Key, tmp_path: Path) -> None:
    run_id, token = await paused(house, asking)
    async with tab(tmp_path) as shown:
        await shown.open(f"{house.url}/form/{token}")
        assert await shown.read(HEADING) == "Approve"
        assert await shown.read("document.querySelector('textarea').labels[0].innerText.trim().toLowerCase()") == "note"
        href = await shown.read("document.querySelector('link[rel=stylesheet]').href")
        assert finders.find(href.removeprefix(f"{house.url}/static/"))
        await shown.write("textarea", "Grüße\nfrom a browser")
        await shown.press("button[value=yes]")
        await shown.until(f"{HEADING} == 'Thank you'")
        assert await ended(run_id) == "succeeded"
        row = await HumanInputForm.objects.aget(run_id=run_id)
        assert (row.action_id, row.values) == ("yes", {"note": "Grüße\nfrom a browser"})
        await shown.order("Page.navigate", url=f"{house.url}/form/{token}")
        await shown.until(f"{HEADING} == 'Already answered'")
        assert await shown.read("document.querySelector('form') === null") is True


@pytest.mark.skipif(not CHROMIUM.exists(), reason="There is no Chromium here; Debian's package chromium has one.")
async def test_of_two_windows_with_the_same_form_one_is_taken(house: Served, asking: Key, tmp_path: Path) -> None:
    run_id, token = await paused(house, asking)
    async with tab(tmp_path / "one") as first, tab(tmp_path / "two") as second:
        for window in (first, second):
            await window.open(f"{house.url}/form/{token}")
        await first.press("button[value=yes]")
        await first.until(f"{HEADING} == 'Thank you'")
        await second.press("button[value=no]")
        await second.until(f"{HEADING} == 'Already answered'")
    assert (await HumanInputForm.objects.aget(run_id=run_id)).action_id == "yes"
