"""Apps as DSL files: what other installations, real Dify included, can import."""

from __future__ import annotations

from typing import Any, Final

import yaml

from apps.models import App

from . import apps

VERSION: Final = "0.6.0"
KIND: Final = "app"
Dumper: Final = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def export(app: App, *, include_secret: bool = False) -> str:
    """The app as YAML. The kinds of app that there are so far hold no secrets, so ``include_secret`` adds nothing to them."""
    return str(yaml.dump(_document(app), Dumper=Dumper, allow_unicode=True, sort_keys=True))


def _document(app: App) -> dict[str, Any]:
    """Models and tools are built in here: the file depends on no plug-ins."""
    document: dict[str, Any] = {
        "version": VERSION,
        "kind": KIND,
        "app": {
            "name": app.name,
            "mode": app.mode,
            "icon_type": app.icon_type,
            "icon": app.icon,
            "icon_background": app.icon_background,
            "description": app.description,
            "use_icon_as_answer_icon": app.use_icon_as_answer_icon,
        },
        "dependencies": [],
    }
    config = apps.shown_configuration(app)
    if config is not None:
        document["model_config"] = config
    return document
