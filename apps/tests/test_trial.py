"""The try-out workspace: an app of every mode that can run, ready to be called."""

from __future__ import annotations

from pathlib import Path

import pytest
from pytest_django import Settings

from apps.models import App
from apps.modes import MODES
from apps.services import trial
from difyproj.settings.providers import EnvironmentProvider
from workflows.services import versions


@pytest.fixture(autouse=True)
def _own_folder(house_db: None, settings: Settings, tmp_path: Path) -> None:
    settings.DIFYPROJ_VAR = tmp_path


def llm_of(app: App) -> dict[str, str]:
    published = versions.newest(app)
    assert published is not None
    return next(node["data"]["model"] for node in published.graph["nodes"] if node["data"]["type"] == "llm")


def test_every_mode_that_runs_has_a_demo_app_and_a_second_call_makes_no_other() -> None:
    made = trial.make(base_url="http://127.0.0.1:8000")
    assert {app["mode"] for app in made["apps"]} == set(MODES)
    assert trial.make(base_url="http://127.0.0.1:8000")["apps"] == made["apps"]
    assert App.objects.count() == len(made["apps"])


def test_the_demo_graphs_are_published_on_the_default_model() -> None:
    trial.make(base_url="")
    for app in App.objects.filter(mode__in=("workflow", "advanced-chat")):
        assert llm_of(app)["provider"] == "demo"


def test_a_provider_from_the_environment_becomes_the_model_of_the_demo_graphs_too(settings: Settings) -> None:
    trial.make(base_url="")
    given = EnvironmentProvider("ollama", "llama", {"base_url": "http://127.0.0.1:9"})
    settings.ENVIRONMENT_PROVIDERS = [given]
    trial.take_environment_providers()
    for app in App.objects.filter(mode__in=("workflow", "advanced-chat")):
        assert (llm_of(app)["provider"], llm_of(app)["name"]) == ("ollama", "llama")
        assert versions.page(app, page=1, limit=10).total == 2
    trial.take_environment_providers()
    assert versions.page(App.objects.get(mode="workflow"), page=1, limit=10).total == 2
