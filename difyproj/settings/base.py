"""Settings shared by every mode; each value that an operator may choose is read from the environment here."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

from difyproj.kernel.logs import logging_config

from .admin import UNFOLD as UNFOLD
from .csp import ADMIN_DIRECTIVES as ADMIN_DIRECTIVES
from .csp import CONTENT_SECURITY_POLICY as CONTENT_SECURITY_POLICY
from .database import database, sqlite
from .env import Env, EnvError
from .providers import environment_providers, hosts_of, provider_hosts
from .sign_in import sign_in_hosts, sign_in_providers

env = Env(os.environ)

BASE_DIR = Path(__file__).resolve().parent.parent.parent
DIFYPROJ_VAR = Path(env.text("DIFYPROJ_VAR", str(BASE_DIR / "var"))).expanduser().resolve()
DIFYPROJ_VAR.mkdir(mode=0o700, parents=True, exist_ok=True)
DEPLOY_ENV = env.text("DEPLOY_ENV", "DEVELOPMENT")
APP_VERSION = env.text("APP_VERSION", "0.1.0")

DEBUG = False
ALLOWED_HOSTS = env.words("ALLOWED_HOSTS", ("localhost", "127.0.0.1", "[::1]"))
CSRF_TRUSTED_ORIGINS = env.words("CSRF_TRUSTED_ORIGINS")
FORWARDED_ALLOW_IPS = env.words("FORWARDED_ALLOW_IPS")
INSTANCE_KEYS_PREVIOUS = env.keys("INSTANCE_KEYS_PREVIOUS")

# A worker shows no pages: without them and all that they import, it is 40 MB smaller.
IS_WORKER = sys.argv[1:2] == ["work"]
ADMIN = "django.contrib.admin.apps.SimpleAdminConfig" if IS_WORKER else "django.contrib.admin"
PAGES = [
    "daphne",
    "unfold",
    "unfold.contrib.filters",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "channels",
    "allauth.socialaccount.providers.github",
    "allauth.socialaccount.providers.openid_connect",
]
INSTALLED_APPS = [
    *(() if IS_WORKER else PAGES),
    ADMIN,
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "allauth.socialaccount",
    "allauth.mfa",
    "difyproj.infra",
    "accounts",
    "datasets",
    "apps",
    "workflows",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "difyproj.tiers.pages.name_the_actor",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "difyproj.tiers.pages.PagePolicy",
    "allauth.account.middleware.AccountMiddleware",
]
ROOT_URLCONF = "difyproj.urls"
ASGI_APPLICATION = "difyproj.asgi.application"
TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

DATABASE_URL = env.text("DATABASE_URL", "")
DATABASES = {"default": database(DATABASE_URL) if DATABASE_URL else sqlite(DIFYPROJ_VAR / "db.sqlite3")}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DB_THREADS = env.integer("DB_THREADS", 4, minimum=1, maximum=64)

REDIS_URL = env.text("REDIS_URL", "")
REDIS_PREFIX = env.text("REDIS_PREFIX", "difyproj")
CACHES: dict[str, dict[str, Any]]
CHANNEL_LAYERS: dict[str, dict[str, Any]]
if REDIS_URL:
    CACHES = {
        "default": {
            "BACKEND": "django_redis.cache.RedisCache",
            "LOCATION": REDIS_URL,
            "KEY_PREFIX": REDIS_PREFIX,
            "OPTIONS": {
                "SERIALIZER": "django_redis.serializers.json.JSONSerializer",
                "SOCKET_CONNECT_TIMEOUT": 2,
                "SOCKET_TIMEOUT": 2,
            },
        }
    }
    # The layer waits for messages longer than the client's usual five seconds.
    _layer_host = {"address": REDIS_URL, "socket_timeout": None}
    _layer = {"hosts": [_layer_host], "prefix": f"{REDIS_PREFIX}:layer"}
    CHANNEL_LAYERS = {"default": {"BACKEND": "channels_redis.core.RedisChannelLayer", "CONFIG": _layer}}
else:
    CACHES = {"default": {"BACKEND": "difyproj.infra.counters.CounterCache"}}
    CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}

AUTH_USER_MODEL = "accounts.Account"
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
    "django.contrib.auth.hashers.ScryptPasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
# Of allauth we use the conversation with sign-in providers and two tables; its own pages are not routed.
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
LOGIN_REDIRECT_URL = "/admin/"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
SOCIALACCOUNT_ADAPTER = "accounts.api.signin.adapter.Adapter"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SECURE_CONTENT_TYPE_NOSNIFF = True
X_FRAME_OPTIONS = "DENY"

STORAGES: dict[str, dict[str, Any]] = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}

LANGUAGE_CODE = "en"
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE = "UTC"
USE_I18N = True
USE_TZ = True

STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "static"]

REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": [],
    "UNAUTHENTICATED_USER": None,
    "UNAUTHENTICATED_TOKEN": None,
    "DEFAULT_SCHEMA_CLASS": "difyproj.tiers.schema.ServiceSchema",
}
SPECTACULAR_SETTINGS: dict[str, Any] = {
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "SERVE_INCLUDE_SCHEMA": False,
    # Each tier has a document of its own, made and judged by script/openapi; all routes together are none.
    "ENABLE_DJANGO_DEPLOY_CHECK": False,
}

ENVIRONMENT_PROVIDERS = environment_providers(env)
SIGN_IN_PROVIDERS = sign_in_providers(env)
# Each opens the way for its own purpose only (difyproj.infra.egress).
EGRESS_ALLOW = env.words("EGRESS_ALLOW")
PROVIDER_HOSTS = provider_hosts(ENVIRONMENT_PROVIDERS)
SIGN_IN_HOSTS = sign_in_hosts(SIGN_IN_PROVIDERS.values())

ACCESS_TOKEN_EXPIRE_MINUTES = env.integer("ACCESS_TOKEN_EXPIRE_MINUTES", 60, minimum=1)
REFRESH_TOKEN_EXPIRE_DAYS = env.integer("REFRESH_TOKEN_EXPIRE_DAYS", 30, minimum=1)
COOKIE_DOMAIN = env.text("COOKIE_DOMAIN", "")
INIT_PASSWORD = env.text("INIT_PASSWORD", "")
ALLOW_REGISTER = env.flag("ALLOW_REGISTER", False)
ALLOW_CREATE_WORKSPACE = env.flag("ALLOW_CREATE_WORKSPACE", False)
SIGN_IN_RATE = env.text("SIGN_IN_RATE", "5/d")
SIGN_IN_ADDRESS_RATE = env.text("SIGN_IN_ADDRESS_RATE", "100/d")
SIGN_IN_IP_RATE = env.text("SIGN_IN_IP_RATE", "200/h")
EMAIL_SEND_RATE = env.text("EMAIL_SEND_RATE", "3/5m")
EMAIL_SEND_IP_RATE = env.text("EMAIL_SEND_IP_RATE", "50/m")
EMAIL_CODE_GUESS_RATE = env.text("EMAIL_CODE_GUESS_RATE", "10/h")
EMAIL_CODE_ADDRESS_RATE = env.text("EMAIL_CODE_ADDRESS_RATE", "100/h")
CONSOLE_CORS_ALLOW_ORIGINS = env.words("CONSOLE_CORS_ALLOW_ORIGINS", ("*",))
WEB_API_CORS_ALLOW_ORIGINS = env.words("WEB_API_CORS_ALLOW_ORIGINS", ("*",))

PUBLIC_URL = env.text("PUBLIC_URL", "http://127.0.0.1:8000").rstrip("/")
CONSOLE_WEB_URL = env.text("CONSOLE_WEB_URL", "").rstrip("/")
WEBSOCKET_ORIGINS = env.words("WEBSOCKET_ORIGINS")
IDEMPOTENCY_KEY_HOURS = env.integer("IDEMPOTENCY_KEY_HOURS", 24, minimum=1)
API_TOKEN_RATE = env.text("API_TOKEN_RATE", "60000/m")
WEB_USER_RATE = env.text("WEB_USER_RATE", "60/m")
WEB_PLACE_RATE = env.text("WEB_PLACE_RATE", "300/m")
WEB_PASSPORT_RATE = env.text("WEB_PASSPORT_RATE", "60/m")
# By the workspace's plan (accounts.models.Plan).
KNOWLEDGE_RATES = {
    "sandbox": env.text("KNOWLEDGE_RATE_SANDBOX", ""),
    "professional": env.text("KNOWLEDGE_RATE_PROFESSIONAL", ""),
    "team": env.text("KNOWLEDGE_RATE_TEAM", ""),
    "enterprise": env.text("KNOWLEDGE_RATE_ENTERPRISE", ""),
}

# Where new datasets keep their indexes (datasets.stores); auto: pgvector where the database has it, else embedded.
KNOWLEDGE_STORE = env.choice("KNOWLEDGE_STORE", "auto", ("auto", "embedded", "pgvector", "qdrant"))
KNOWLEDGE_CACHE_MB = env.integer("KNOWLEDGE_CACHE_MB", 512, minimum=16)
QDRANT_URL = env.text("QDRANT_URL", "").rstrip("/")
STORE_HOSTS = hosts_of(QDRANT_URL)
QDRANT_API_KEY = env.text("QDRANT_API_KEY", "")
QDRANT_TIMEOUT_SECONDS = env.seconds("QDRANT_TIMEOUT_SECONDS", 10.0, minimum=0.1)
if KNOWLEDGE_STORE == "qdrant" and not QDRANT_URL:
    raise EnvError("KNOWLEDGE_STORE can be qdrant only where QDRANT_URL is set.")

APP_DEFAULT_ACTIVE_REQUESTS = env.integer("APP_DEFAULT_ACTIVE_REQUESTS", 0)
APP_MAX_ACTIVE_REQUESTS = env.integer("APP_MAX_ACTIVE_REQUESTS", 0)
APP_MAX_EXECUTION_TIME = env.integer("APP_MAX_EXECUTION_TIME", 1200, minimum=1)
RUN_CHECKPOINT_SECONDS = env.seconds("RUN_CHECKPOINT_SECONDS", 2.0, minimum=0.05)
# Who executes what nobody waits for: workers, where processes share a Redis that readers can follow it by.
BACKGROUND_RUNS = env.choice("BACKGROUND_RUNS", "worker" if REDIS_URL else "web", ("web", "worker"))
if BACKGROUND_RUNS == "worker" and not REDIS_URL:
    raise EnvError("BACKGROUND_RUNS can be worker only where REDIS_URL is set.")
# Runs of graphs; the names are those of workflows.engine.limits.Limits.
WORKFLOW_LIMITS = {
    "steps": env.integer("WORKFLOW_MAX_EXECUTION_STEPS", 500, minimum=1),
    "total_steps": env.integer("WORKFLOW_MAX_TOTAL_STEPS", 100_000, minimum=1),
    "seconds": env.seconds("WORKFLOW_MAX_EXECUTION_TIME", 1200.0, minimum=1.0),
    "width": env.integer("WORKFLOW_PARALLEL_WIDTH", 50, minimum=1),
    "depth": env.integer("WORKFLOW_CALL_MAX_DEPTH", 5, minimum=1),
    "rounds": env.integer("LOOP_NODE_MAX_COUNT", 100, minimum=1),
    "variable_size": env.integer("MAX_VARIABLE_SIZE", 200 * 1024, minimum=1),
}
WEBHOOK_REQUEST_BODY_MAX_SIZE = env.integer("WEBHOOK_REQUEST_BODY_MAX_SIZE", 10 * 1024 * 1024, minimum=1)
WEBHOOK_SIGNATURE_SECONDS = env.integer("WEBHOOK_SIGNATURE_SECONDS", 300, minimum=1, maximum=1800)
EVENT_LOG_RETENTION_SECONDS = env.seconds("EVENT_LOG_RETENTION_SECONDS", 60.0)

# What one document of a dataset may take to be read; the names are those of difyproj.infra.documents.Limits.
DOCUMENT_LIMITS = {
    "text": env.integer("DOCUMENT_TEXT_MB", 2048, minimum=1) * 1024 * 1024,
    "pages": env.integer("DOCUMENT_PAGES", 10_000, minimum=1),
    "seconds": env.seconds("DOCUMENT_SECONDS", 300.0, minimum=1.0),
    "memory": env.integer("DOCUMENT_MEMORY_MB", 1024, minimum=256) * 1024 * 1024,
}

UPLOAD_FILE_SIZE_LIMIT = env.integer("UPLOAD_FILE_SIZE_LIMIT", 15, minimum=1)
UPLOAD_IMAGE_FILE_SIZE_LIMIT = env.integer("UPLOAD_IMAGE_FILE_SIZE_LIMIT", 10, minimum=1)
UPLOAD_AUDIO_FILE_SIZE_LIMIT = env.integer("UPLOAD_AUDIO_FILE_SIZE_LIMIT", 50, minimum=1)
UPLOAD_VIDEO_FILE_SIZE_LIMIT = env.integer("UPLOAD_VIDEO_FILE_SIZE_LIMIT", 100, minimum=1)
WORKFLOW_FILE_UPLOAD_LIMIT = env.integer("WORKFLOW_FILE_UPLOAD_LIMIT", 10, minimum=1)
SPEECH_TO_TEXT_SIZE_LIMIT = env.integer("SPEECH_TO_TEXT_SIZE_LIMIT", 30, minimum=1)
ANNOTATION_IMPORT_FILE_SIZE_LIMIT = env.integer("ANNOTATION_IMPORT_FILE_SIZE_LIMIT", 2, minimum=1)
ANNOTATION_IMPORT_MAX_RECORDS = env.integer("ANNOTATION_IMPORT_MAX_RECORDS", 10_000, minimum=1)
EXPORT_MAX_ROWS = env.integer("EXPORT_MAX_ROWS", 10_000, minimum=1)
LOG_SEARCH_SECONDS = env.seconds("LOG_SEARCH_SECONDS", 10.0, minimum=0.1)
UPLOAD_FILE_EXTENSION_BLACKLIST = [word.lower().lstrip(".") for word in env.words("UPLOAD_FILE_EXTENSION_BLACKLIST")]
ENABLE_VIRUS_SCAN = env.flag("ENABLE_VIRUS_SCAN", False)
CLAMD_ADDRESS = env.address("CLAMD_ADDRESS", "/run/clamav/clamd.ctl")
CLAMD_STREAM_LIMIT = env.integer("CLAMD_STREAM_LIMIT", 100, minimum=1)
CLAMD_TIMEOUT_SECONDS = env.seconds("CLAMD_TIMEOUT_SECONDS", 60.0, minimum=0.1)
LARGEST_UPLOAD = max(
    UPLOAD_FILE_SIZE_LIMIT,
    UPLOAD_IMAGE_FILE_SIZE_LIMIT,
    UPLOAD_AUDIO_FILE_SIZE_LIMIT,
    UPLOAD_VIDEO_FILE_SIZE_LIMIT,
    SPEECH_TO_TEXT_SIZE_LIMIT,
)
MAX_BODY_BYTES = (LARGEST_UPLOAD + 5) * 1024 * 1024
DATA_UPLOAD_MAX_MEMORY_SIZE = 15 * 1024 * 1024
# No route takes more than one: ten are enough to say so.
DATA_UPLOAD_MAX_NUMBER_FILES = 10

# The walls around code and templates of graphs; what code may use, and what it may return.
SANDBOX_BACKEND = env.choice("SANDBOX_BACKEND", "auto", ("auto", "embedded", "bwrap"))
SANDBOX_WORKERS = env.integer("SANDBOX_WORKERS", 4, minimum=1, maximum=64)
SANDBOX_SECONDS = env.seconds("SANDBOX_SECONDS", 10.0, minimum=0.1)
SANDBOX_MEMORY_MB = env.integer("SANDBOX_MEMORY_MB", 64, minimum=8, maximum=4096)
SANDBOX_REQUESTS = env.flag("SANDBOX_REQUESTS", False)
SANDBOX_PACKAGES = env.text("SANDBOX_PACKAGES", "")
CODE_LIMITS = {
    "largest": env.integer("CODE_MAX_NUMBER", 2**63 - 1, minimum=1, maximum=2**63 - 1),
    "smallest": env.integer("CODE_MIN_NUMBER", -(2**63 - 1), minimum=-(2**63 - 1), maximum=0),
    "depth": env.integer("CODE_MAX_DEPTH", 5, minimum=1, maximum=50),
    "decimals": env.integer("CODE_MAX_PRECISION", 20, minimum=0),
    "string": env.integer("CODE_MAX_STRING_LENGTH", 400_000, minimum=1),
    "strings": env.integer("CODE_MAX_STRING_ARRAY_LENGTH", 30, minimum=1),
    "objects": env.integer("CODE_MAX_OBJECT_ARRAY_LENGTH", 30, minimum=1),
    "numbers": env.integer("CODE_MAX_NUMBER_ARRAY_LENGTH", 1000, minimum=1),
}

# Where messages to the workers wait: Redis or another broker, else a file of our own. Empty: nobody is told of jobs.
TASK_BROKER_URL = env.text("TASK_BROKER_URL", REDIS_URL or f"sqlite:///{quote(str(DIFYPROJ_VAR / 'broker.sqlite3'))}")
TASK_QUEUE = env.text("TASK_QUEUE", "difyproj.jobs")
TASK_THREADS = env.integer("TASK_THREADS", 2, minimum=1, maximum=64)
JOB_RETENTION_DAYS = env.integer("JOB_RETENTION_DAYS", 7, minimum=1)
# What workers do by themselves: kind of job, and the seconds from one to the next.
PERIODIC_JOBS = {
    "infra.retention": 3600,
    "accounts.retention": 3600,
    "apps.retention": 3600,
    "workflows.retention": 3600,
    "apps.storage": 600,
    "datasets.sweep": 30,
}
# How long boundary events of runs are kept, and runs with their traces (0: for ever).
RUN_EVENT_RETENTION_DAYS = env.integer("RUN_EVENT_RETENTION_DAYS", 7, minimum=1)
WORKFLOW_LOG_RETENTION_DAYS = env.integer("WORKFLOW_LOG_RETENTION_DAYS", 0, minimum=0)

EMAIL_BACKEND = env.text("EMAIL_BACKEND", "django.core.mail.backends.console.EmailBackend")
EMAIL_HOST = env.text("EMAIL_HOST", "localhost")
EMAIL_PORT = env.integer("EMAIL_PORT", 25, minimum=1, maximum=65535)
EMAIL_HOST_USER = env.text("EMAIL_HOST_USER", "")
EMAIL_HOST_PASSWORD = env.text("EMAIL_HOST_PASSWORD", "")
EMAIL_USE_TLS = env.flag("EMAIL_USE_TLS", False)
EMAIL_USE_SSL = env.flag("EMAIL_USE_SSL", False)
EMAIL_TIMEOUT = 30
DEFAULT_FROM_EMAIL = env.text("DEFAULT_FROM_EMAIL", "difyproj@localhost")

LOG_LEVEL = env.choice("LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"))
LOG_OUTPUT_FORMAT = env.choice("LOG_OUTPUT_FORMAT", "text", ("text", "json"))
LOGGING = logging_config(json=LOG_OUTPUT_FORMAT == "json", level=LOG_LEVEL)
