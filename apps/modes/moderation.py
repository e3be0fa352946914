"""Sensitive word avoidance: a check before the model is asked, and a guard over what it says."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from typing import Final

from apps.config import AppConfig
from apps.config.sections import ModerationRules
from difyproj.kernel.errors import AppUnavailable, DomainError
from workflows.engine.events import Events, NodeFinished, RunFinished, RunStarted, TextChunk, TextReplaced
from workflows.engine.layers import Layer
from workflows.engine.ports import ModelPort
from workflows.engine.state import RunState

from .mode import Turn
from .watch import KeywordWatch, ModelWatch, Watch

_REASON: Final = "output_moderation"
_FINISH: Final = "content_filter"
_PRESET: Final = "This content is not allowed here. Please put it differently."


def layers(
    config: AppConfig,
    turn: Turn,
    state: RunState,
    models: ModelPort,
    *,
    is_begun: bool = False,
    between: Sequence[Layer] = (),
) -> list[Layer]:
    """What the configuration asks for, innermost first; the question of a run that is begun was checked already.

    What is ``between`` sees questions that were checked, and its answers are not. Raises AppUnavailable for a kind of check
    that is not offered.
    """
    section = config.sensitive_word_avoidance
    if not section.enabled:
        return [*between]
    if section.type not in _KINDS:
        raise AppUnavailable(f"Moderation of the type {section.type or 'none'!r} is not available for this app.")
    check, watch = _KINDS[section.type]
    rules = section.config
    found: list[Layer] = []
    if rules.outputs_config.enabled:
        preset = rules.outputs_config.preset_response or _PRESET
        found.append(guard_output(lambda: watch(rules, models), preset, state, models))
    found += between
    if rules.inputs_config.enabled and not is_begun:
        texts = turn.texts()
        preset = rules.inputs_config.preset_response or _PRESET
        found.append(guard_input(lambda: check(rules, models, texts), preset, state, models))
    return found


def guard_input(flagged: Callable[[], Awaitable[bool]], preset: str, state: RunState, models: ModelPort) -> Layer:
    """Answers ``preset`` instead of running when the check says so; the run within never begins."""

    async def layer(source: Events) -> Events:
        async with aclosing(source):
            try:
                hit = await flagged()
            except DomainError as error:
                yield await state.failed(models, error)
                return
            if not hit:
                async for event in source:
                    yield event
                return
        yield RunStarted(created_at=int(state.began_at))
        yield TextChunk(preset)
        yield await state.finished(models, "succeeded", preset, finish_reason=_FINISH)

    return layer


def guard_output(make: Callable[[], Watch], preset: str, state: RunState, models: ModelPort) -> Layer:
    """Withdraws the answer for ``preset`` and ends the run, its model call included, once the watch finds something.

    Only text that may be the beginning of a keyword is held back; everything else passes as it comes.
    """

    async def layer(source: Events) -> Events:
        watch = make()
        selector: Sequence[str] = ()
        try:
            async with aclosing(source):
                async for event in source:
                    if isinstance(event, TextChunk):
                        selector = event.selector
                        safe = watch.feed(event.text)
                        if watch.flagged:
                            break
                        if safe:
                            yield event if safe is event.text else TextChunk(safe, event.selector)
                        continue
                    if isinstance(event, NodeFinished | RunFinished) and (held := watch.release()):
                        yield TextChunk(held, selector)
                    if isinstance(event, RunFinished) and await watch.last_look():
                        break
                    yield event
                else:
                    return
        except DomainError as error:
            yield await state.failed(models, error)
            return
        finally:
            await watch.close()
        yield TextReplaced(preset, _REASON)
        yield await state.finished(models, "succeeded", preset, finish_reason=_FINISH)

    return layer


async def _has_keyword(rules: ModerationRules, models: ModelPort, texts: Sequence[str]) -> bool:
    watch = KeywordWatch(rules.words)
    return any(watch.finds(text) for text in texts)


async def _is_flagged(rules: ModerationRules, models: ModelPort, texts: Sequence[str]) -> bool:
    joined = "\n".join(text for text in texts if text.strip())
    return bool(joined) and await models.moderate(joined)


_Check = Callable[[ModerationRules, ModelPort, Sequence[str]], Awaitable[bool]]
_MakeWatch = Callable[[ModerationRules, ModelPort], Watch]

_KINDS: Final[dict[str, tuple[_Check, _MakeWatch]]] = {
    "keywords": (_has_keyword, lambda rules, models: KeywordWatch(rules.words)),
    "openai_moderation": (_is_flagged, lambda rules, models: ModelWatch(models)),
}
