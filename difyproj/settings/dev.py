"""Development and trying out: makes its own secrets, serves static files from where they lie."""

from __future__ import annotations

import sys

from .base import *
from .base import DIFYPROJ_VAR, INSTALLED_APPS, env
from .keys import development_keys

DEBUG = env.flag("DEBUG", False)
PRODUCTION = False
SECRET_KEY, INSTANCE_KEY = development_keys(env, DIFYPROJ_VAR)
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = True

if "runserver" not in sys.argv:
    # Daphne gives runserver its ASGI server; to any other start its import only costs time and memory.
    INSTALLED_APPS = [name for name in INSTALLED_APPS if name != "daphne"]
