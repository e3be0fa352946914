"""The environment is read strictly, secrets may lie in files, production refuses what is weak or missing."""

from __future__ import annotations

import base64
import json
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from django.db import connection

from difyproj.settings.database import POSTGRES_PATIENCE, database
from difyproj.settings.env import Env, EnvError
from difyproj.settings.keys import development_keys, local_secrets, production_keys
from difyproj.tests.source import ROOT

KEY = base64.b64encode(bytes(range(32))).decode()
STRONG = "q7Vw0Xj2mLr9Tz4Kp6Yb8Nc1Df3Gh5JsQaWeRtUi"

READERS: list[tuple[str, Callable[[Env], object]]] = [
    ("maybe", lambda env: env.flag("X", False)),
    ("1.5", lambda env: env.integer("X", 1)),
    ("-1", lambda env: env.integer("X", 1)),
    ("10", lambda env: env.integer("X", 1, maximum=9)),
    ("\u0664", lambda env: env.integer("X", 1)),
    ("soon", lambda env: env.seconds("X", 1.0)),
    ("nan", lambda env: env.seconds("X", 1.0)),
    ("inf", lambda env: env.seconds("X", 1.0)),
    ("loud", lambda env: env.choice("X", "INFO", ("INFO", "DEBUG"))),
    ("not base64 at all", lambda env: env.key("X")),
    ("c2hvcnQ=", lambda env: env.key("X")),
]


@pytest.mark.parametrize(("value", "read"), READERS, ids=[value for value, _ in READERS])
def test_a_value_that_cannot_be_read_is_refused_by_the_name_of_its_variable(value: str, read: Callable[[Env], object]) -> None:
    with pytest.raises(EnvError, match=r"^X "):
        read(Env({"X": value}))


def test_what_is_not_set_or_empty_takes_the_default() -> None:
    for env in (Env({}), Env({"X": ""}), Env({"X": "  "})):
        assert env.text("X", "d") == "d"
        assert env.flag("X", True) is True
        assert env.integer("X", 3) == 3
        assert env.words("X", ("a", "b")) == ["a", "b"]
        assert env.key("X") is None


def test_values_are_read_by_type() -> None:
    env = Env(
        {
            "F": "Yes",
            "N": "12",
            "S": "0.5",
            "W": "a, b\nc,,",
            "K": KEY.replace("+", "-").replace("/", "_"),
            "KK": f"{KEY} {KEY}",
        }
    )
    assert env.flag("F", False) is True
    assert env.integer("N", 0) == 12
    assert env.seconds("S", 0) == 0.5
    assert env.words("W") == ["a", "b", "c"]
    assert env.key("K") == bytes(range(32))
    assert env.keys("KK") == [bytes(range(32))] * 2


def test_a_secret_may_lie_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(f"{STRONG}\n")
    assert Env({"SECRET_KEY_FILE": str(file)}).raw("SECRET_KEY") == STRONG
    with pytest.raises(EnvError, match="both set"):
        Env({"SECRET_KEY": "x", "SECRET_KEY_FILE": str(file)}).raw("SECRET_KEY")
    with pytest.raises(EnvError, match="SECRET_KEY_FILE"):
        Env({"SECRET_KEY_FILE": str(tmp_path / "absent")}).raw("SECRET_KEY")


def test_a_database_url_becomes_settings() -> None:
    settings = database("postgres://bob:p%40ss@db.example:5433/house?sslmode=require&connect_timeout=2")
    assert (settings["USER"], settings["PASSWORD"], settings["HOST"]) == ("bob", "p@ss", "db.example")
    assert (settings["PORT"], settings["NAME"]) == ("5433", "house")
    assert settings["OPTIONS"] == {**POSTGRES_PATIENCE, "sslmode": "require", "connect_timeout": "2"}
    assert settings["CONN_MAX_AGE"] is None
    assert database("sqlite:////var/lib/house.db")["NAME"] == "/var/lib/house.db"
    assert database("sqlite:///house.db")["NAME"] == "house.db"


@pytest.mark.parametrize(
    "url",
    ["house.db", "mysql://localhost/house", "sqlite://house.db", "sqlite:///", "postgres://localhost", "postgres://h:port/x"],
)
def test_a_database_url_that_makes_no_sense_is_refused(url: str) -> None:
    with pytest.raises(EnvError, match="DATABASE_URL"):
        database(url)


def test_sqlite_is_tuned_on_every_connection(house_db: None) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("this run uses PostgreSQL")
    found = {}
    with connection.cursor() as cursor:
        for name in ("journal_mode", "foreign_keys", "busy_timeout", "mmap_size"):
            cursor.execute(f"PRAGMA {name}")
            found[name] = cursor.fetchone()[0]
    assert found == {"journal_mode": "wal", "foreign_keys": 1, "busy_timeout": 20_000, "mmap_size": 268_435_456}


def test_local_secrets_are_made_once_and_only_their_owner_reads_them(tmp_path: Path) -> None:
    var, found = tmp_path / "var", []
    threads = [threading.Thread(target=lambda: found.append(json.dumps(local_secrets(var)))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8 and len(set(found)) == 1
    assert [item.name for item in var.iterdir()] == ["secrets.json"]
    assert stat.S_IMODE((var / "secrets.json").stat().st_mode) == 0o600


def test_a_damaged_secrets_file_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "secrets.json").write_text("{}")
    with pytest.raises(EnvError, match=r"secrets\.json"):
        local_secrets(tmp_path)
    assert (tmp_path / "secrets.json").read_text() == "{}"


def test_development_takes_keys_from_the_environment_when_they_are_there(tmp_path: Path) -> None:
    assert development_keys(Env({"SECRET_KEY": "s", "INSTANCE_KEY": KEY}), tmp_path) == ("s", bytes(range(32)))
    assert not list(tmp_path.iterdir())
    secret, instance = development_keys(Env({"SECRET_KEY": "s"}), tmp_path)
    assert secret == "s" and len(instance) == 32


@pytest.mark.parametrize(
    ("secret", "instance", "named"),
    [
        ("", KEY, "SECRET_KEY"),
        (STRONG, "", "INSTANCE_KEY"),
        ("short", KEY, "SECRET_KEY"),
        ("abc" * 20, KEY, "SECRET_KEY"),
        ("django-insecure-" + STRONG, KEY, "SECRET_KEY"),
        (STRONG, base64.b64encode(b"\0" * 32).decode(), "INSTANCE_KEY"),
    ],
)
def test_production_refuses_missing_weak_and_example_keys(secret: str, instance: str, named: str) -> None:
    with pytest.raises(EnvError, match=named) as refusal:
        production_keys(Env({"SECRET_KEY": secret, "INSTANCE_KEY": instance}))
    assert not secret or secret not in str(refusal.value)


def python(*words: str, module: str, var: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "DJANGO_SETTINGS_MODULE": module, "DIFYPROJ_VAR": str(var), **variables}
    command = [sys.executable, *words]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)


def start(module: str, var: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    code = "import django; django.setup(); from django.conf import settings; print(settings.PRODUCTION)"
    return python("-c", code, module=module, var=var, **variables)


def test_production_starts_with_real_keys_and_named_hosts_only(tmp_path: Path) -> None:
    keys = {"SECRET_KEY": STRONG, "INSTANCE_KEY": KEY}
    assert "SECRET_KEY" in start("difyproj.settings.prod", tmp_path).stderr
    assert "ALLOWED_HOSTS" in start("difyproj.settings.prod", tmp_path, **keys).stderr
    assert start("difyproj.settings.prod", tmp_path, **keys, ALLOWED_HOSTS="example.org").stdout == "True\n"
    assert not (tmp_path / "secrets.json").exists()


def test_development_starts_with_nothing_at_all(tmp_path: Path) -> None:
    assert start("difyproj.settings.dev", tmp_path).stdout == "False\n"
    assert (tmp_path / "secrets.json").exists()


def test_production_over_https_has_nothing_that_djangos_own_check_would_warn_of(tmp_path: Path) -> None:
    checked = python(
        *("manage.py", "check", "--deploy", "--fail-level", "WARNING"),
        module="difyproj.settings.prod",
        var=tmp_path,
        SECRET_KEY=STRONG + STRONG,
        INSTANCE_KEY=KEY,
        ALLOWED_HOSTS="example.org",
        SECURE_SSL_REDIRECT="true",
        SECURE_HSTS_SECONDS="31536000",
        SECURE_HSTS_INCLUDE_SUBDOMAINS="true",
        SECURE_HSTS_PRELOAD="true",
    )
    assert checked.returncode == 0, checked.stderr
    assert "no issues" in checked.stdout
