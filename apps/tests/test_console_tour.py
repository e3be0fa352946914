"""The console tour: an instance that starts empty is set up and used through the Console API alone, by a script of its own."""

from __future__ import annotations

import subprocess
import sys

from difyproj.testing.process import ROOT, Installation


def tour(installed: Installation, url: str) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable, str(ROOT / "script" / "console-tour"), url,
        "--endpoint", f"{installed.upstream_url}/v1", "--model", "bench-5-0-0", "--api-key", "sk-of-the-tour",
    ]  # fmt: skip
    return subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)


def test_the_tour_runs_to_its_end_on_an_empty_instance_and_only_once(untouched: Installation) -> None:
    server = untouched.start("--no-bootstrap")
    done = tour(untouched, server.url)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert done.stdout.endswith("The tour is complete.\n")
    for line in (
        '< 200 {"step": "not_started"}',
        "> POST /console/api/workspaces/current/model-providers/openai_api_compatible/models/credentials ",
        "> POST /v1/chat-messages",
        "> POST /v1/completion-messages",
        '"message_count": 2}]}',
    ):
        assert line in done.stdout
    assert "sk-of-the-tour" not in done.stdout + server.log
    again = tour(untouched, server.url)
    assert again.returncode == 1
    assert '"already_setup"' in again.stderr
