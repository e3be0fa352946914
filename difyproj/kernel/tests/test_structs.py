"""Types that many threads meet for the first time at once."""

from __future__ import annotations

import subprocess
import sys

# In a process of its own, which would end by a signal.
MANY = """
import sys, threading, types
import msgspec
from difyproj.kernel.structs import convert
sys.setswitchinterval(1e-6)
TEXT = "import msgspec\\nclass S0(msgspec.Struct):\\n    a: 'list[str] | None' = None\\n"
for at in range(1, 12):
    TEXT += f"class S{at}(msgspec.Struct):\\n    a: 'list[str] | None' = None\\n    d: 'S{at - 1} | None' = None\\n"
value = {"a": ["x"]}
for _ in range(11):
    value = {"a": ["x"], "d": value}
for number in range(60):
    module = types.ModuleType(f"made{number}")
    sys.modules[module.__name__] = module
    exec(TEXT, module.__dict__)
    barrier = threading.Barrier(6)
    def work():
        barrier.wait()
        assert convert(value, module.S11).d.a == ["x"]
    threads = [threading.Thread(target=work) for _ in range(6)]
    for one in threads: one.start()
    for one in threads: one.join()
print("done")
"""


def test_a_new_type_is_no_danger_to_the_process() -> None:
    done = subprocess.run([sys.executable, "-c", MANY], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "done", "")
