"""bootstrap: make the try-out workspace and print what is needed to use it."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from apps.services import trial
from difyproj.kernel import jsonio


class Command(BaseCommand):
    help = "Make a try-out workspace with demo apps (development only), or show the one that is there."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="Print the facts as JSON, for scripts.")
        parser.add_argument("--base-url", default=settings.PUBLIC_URL, help="Where the server listens.")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            made = trial.make(base_url=options["base_url"])
        except trial.NotOnThisInstance as error:
            raise CommandError(str(error)) from error
        trial.take_environment_providers()
        if options["json"]:
            self.stdout.write(jsonio.dumps_text(made))
            return
        for line in welcome(made):
            self.stdout.write(line)


def welcome(made: dict[str, Any]) -> list[str]:
    """What a person needs to begin."""
    base, chat = made["base_url"], next(app for app in made["apps"] if app["mode"] == "chat")
    return [
        f"Admin      {base}/admin/",
        f"E-mail     {made['admin']['email']}",
        f"Password   {made['admin']['password']}  (one-time: change it in the admin)",
        f"API        {base}/v1   (docs: {base}/v1/docs)",
        f"App token  {chat['token']}  ({chat['name']})",
        "",
        "Try it:",
        f"  curl -N {base}/v1/chat-messages \\",
        f"    -H 'Authorization: Bearer {chat['token']}' -H 'Content-Type: application/json' \\",
        """    -d '{"inputs": {}, "query": "Hello, what can you do?", "user": "me", "response_mode": "streaming"}'""",
        "",
    ]
