"""Identifiers are random version-4 UUIDs, and no two processes draw the same."""

from __future__ import annotations

import subprocess
import sys

from difyproj.kernel import ids

FORKED = """
import os
from difyproj.kernel.ids import new_id
new_id()
child = os.fork()
drawn = [new_id() for _ in range(200)]
if child:
    os.waitpid(child, 0)
print(*drawn, flush=True)
"""


def test_each_id_is_new_and_of_version_4() -> None:
    drawn = [ids.new_id() for _ in range(1_000)]
    assert len(set(drawn)) == 1_000
    assert {(each.version, each.variant) for each in drawn} == {(4, "specified in RFC 4122")}


def test_a_forked_process_draws_its_own() -> None:
    done = subprocess.run([sys.executable, "-c", FORKED], capture_output=True, text=True, check=True)
    drawn = done.stdout.split()
    assert len(drawn) == len(set(drawn)) == 400
