"""Tests: fixed keys, a quick hasher, everything that is written vanishes with the run, and nobody's keys are used."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

SCRATCH = Path(tempfile.mkdtemp(prefix="difyproj-test-"))
atexit.register(shutil.rmtree, SCRATCH, ignore_errors=True)
os.environ["DIFYPROJ_VAR"] = str(SCRATCH)
# Messages between processes know no database number: test runs side by side must not hear each other.
os.environ["REDIS_PREFIX"] = f"test-{os.getpid()}"

from .providers import ROWS

for row in ROWS:
    for name in (f"{row.prefix}_MODEL", *(pair[0] for pair in (row.key, row.url) if pair)):
        os.environ.pop(name, None)

from .base import *
from .base import DATABASES
from .database import SQLITE_PRAGMAS, sqlite

PRODUCTION = False
SECRET_KEY = "a fixed key for tests only, long enough to sign tokens"
INSTANCE_KEY = bytes(range(32))
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
ALLOWED_HOSTS = ["*"]
# Jobs wait until a test runs them: jobs.run_waiting().
TASK_BROKER_URL = ""
BACKGROUND_RUNS = "web"
# The same walls on every machine; those of bubblewrap are asked for by name.
SANDBOX_BACKEND = "embedded"
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
# All tests come from one address; those of the rates set them.
SIGN_IN_IP_RATE = EMAIL_SEND_IP_RATE = EMAIL_SEND_RATE = EMAIL_CODE_GUESS_RATE = EMAIL_CODE_ADDRESS_RATE = WEB_PLACE_RATE = (
    WEB_PASSPORT_RATE
) = ""
EGRESS_ALLOW = ["127.0.0.1", "localhost"]
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    DATABASES["default"] = sqlite(SCRATCH / "db.sqlite3", pragmas=(*SQLITE_PRAGMAS, "PRAGMA synchronous=OFF"))
    DATABASES["default"]["TEST"] = {"NAME": str(SCRATCH / "test.sqlite3")}
else:
    DATABASES["default"]["TEST"] = {"NAME": f"test_difyproj_{os.getpid()}"}
    DATABASES["default"]["OPTIONS"]["options"] = "-c synchronous_commit=off"
