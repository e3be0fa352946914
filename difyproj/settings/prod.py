"""Production: refuses to start without real secrets and named hosts, and trusts only HTTPS."""

from __future__ import annotations

from difyproj.kernel.logs import logging_config

from .base import *
from .base import DIFYPROJ_VAR, LOG_LEVEL, STORAGES, env
from .env import EnvError
from .keys import production_keys

PRODUCTION = True
DEPLOY_ENV = env.text("DEPLOY_ENV", "PRODUCTION")
SECRET_KEY, INSTANCE_KEY = production_keys(env)
if env.raw("ALLOWED_HOSTS") is None:
    raise EnvError("ALLOWED_HOSTS must be set in production.")

STATIC_ROOT = DIFYPROJ_VAR / "static"
STORAGES["staticfiles"] = {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"}
SECURE_COOKIES = env.flag("SECURE_COOKIES", True)
SESSION_COOKIE_SECURE = SECURE_COOKIES
CSRF_COOKIE_SECURE = SECURE_COOKIES
SECURE_SSL_REDIRECT = env.flag("SECURE_SSL_REDIRECT", False)
SECURE_HSTS_SECONDS = env.integer("SECURE_HSTS_SECONDS", 0)
SECURE_HSTS_INCLUDE_SUBDOMAINS = env.flag("SECURE_HSTS_INCLUDE_SUBDOMAINS", False)
SECURE_HSTS_PRELOAD = env.flag("SECURE_HSTS_PRELOAD", False)
SECURE_REFERRER_POLICY = "same-origin"
if env.flag("TRUST_FORWARDED_PROTO", False):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
# One-time codes do not belong into logs: what cannot be sent fails visibly.
EMAIL_BACKEND = env.text("EMAIL_BACKEND", "django.core.mail.backends.smtp.EmailBackend")
LOG_OUTPUT_FORMAT = env.choice("LOG_OUTPUT_FORMAT", "json", ("text", "json"))
LOGGING = logging_config(json=LOG_OUTPUT_FORMAT == "json", level=LOG_LEVEL)
