"""No text that a stranger sends makes a pattern try for ever: each one takes time in proportion to the text."""

from __future__ import annotations

import importlib
import re
import time
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest

from difyproj.model_runtime.base import ModelRequest
from difyproj.model_runtime.demo import answers, schemas
from difyproj.model_runtime.messages import PromptMessage, Role
from difyproj.tests.source import files, is_test, module_name
from workflows.engine import template

# What takes time in proportion to the text stays far below; what takes its square is far above at the larger size.
ROOMS = ("difyproj/kernel", "difyproj/model_runtime", "difyproj/tiers", "workflows", "datasets", "apps", "accounts")
SIZES = (500, 16_000)
SECONDS = 0.1
CLASSES = {"d": "1", "w": "a", "s": " ", "b": "", "Z": "", "S": "x", "D": "x", "W": "-"}


@cache
def patterns() -> dict[str, re.Pattern[Any]]:
    """Every compiled pattern of the rooms that text from outside comes to, by where it stands."""
    found: dict[str, re.Pattern[Any]] = {}
    for file in files(*ROOMS):
        if not is_test(file) and "re.compile(" in file.read_text(encoding="utf-8"):
            name = module_name(file)
            held = vars(importlib.import_module(name)).items()
            found |= {f"{name}.{item}": value for item, value in held if isinstance(value, re.Pattern)}
    return found


def pieces(pattern: str) -> list[str]:
    """Words and characters that the pattern looks for."""
    plain = re.sub(r"\\u([0-9a-f]{4})", lambda match: chr(int(match[1], 16)), pattern)
    plain = re.sub(r"\\([dwsbZSDW])", lambda match: f"({CLASSES[match[1]]})", plain)
    plain = re.sub(r"\\(.)", r"\1", plain)
    words = re.findall(r"[\w<>/|{}#:=-]+", plain) + re.findall(r"[\w<>/{}#:=-]+", plain)
    marks = [one for one in plain if not one.isalnum()]
    return list(dict.fromkeys([*words, *marks, "a", "1", " ", "\n"]))[:14]


def attacks(pattern: str, size: int) -> Iterator[str]:
    """Texts of about ``size`` characters that repeat what the pattern begins with, and never end it."""
    units = pieces(pattern)
    for one in units:
        for other in ["", *units]:
            unit = one + other
            yield unit * (size // len(unit)) + "\x01"


@pytest.mark.parametrize("place", sorted(patterns()))
def test_a_pattern_takes_time_in_proportion_to_the_text(place: str) -> None:
    pattern = patterns()[place]
    is_text = isinstance(pattern.pattern, str)
    source = pattern.pattern if is_text else pattern.pattern.decode()
    for size in SIZES:
        for attack in attacks(source, size):
            text: Any = attack if is_text else attack.encode()
            began = time.thread_time()
            for _ in pattern.finditer(text):
                pass
            spent = time.thread_time() - began
            assert spent < SECONDS, f"{attack[:40]!r} * {size} took {spent:.2f} s"


@pytest.mark.parametrize("unit", ["<|", "<|\n", "|>", "<|a", "<|a|>", "{{", "{{a", "<context>", "<context", "(+", "1+", "“"])
def test_prompts_and_demo_answers_take_time_in_proportion_to_the_text(unit: str) -> None:
    text = unit * (64_000 // len(unit))
    asked = ModelRequest("demo", [PromptMessage(Role.USER, text)])
    tool = {"properties": {"formula": {"type": "string"}}}
    began = time.thread_time()
    template.fill("{{v}}", {"v": text})
    answers.reply(asked)
    schemas.arguments(tool, text)
    assert time.thread_time() - began < 2.0


@pytest.mark.parametrize("slow", [r"<\|.*?\|>", r"(?s)<context>(.*?)</context>", r"[\d(][\d\s()+]*[+\-*][\d\s()+]*[\d)]"])
def test_a_pattern_that_tries_for_ever_is_found(slow: str) -> None:
    for size in (200, 1000, *SIZES, 64_000):
        for attack in attacks(slow, size):
            began = time.thread_time()
            re.search(slow, attack)
            if time.thread_time() - began > SECONDS:
                return
    pytest.fail("No attack on it took long.")
