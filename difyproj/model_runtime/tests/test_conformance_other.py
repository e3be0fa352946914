"""Every provider of embeddings, rerank, speech and moderation, over a real socket to a fake upstream of its wire."""

from __future__ import annotations

import pytest

from difyproj.kernel.errors import ModelNotSupported, ProviderNotInitialize
from difyproj.model_runtime import catalogue
from difyproj.model_runtime.base import Credential, ModelType
from difyproj.model_runtime.errors import ModelCallFailed
from difyproj.model_runtime.runtime import ModelRuntime
from difyproj.testing.upstream import Script
from difyproj.testing.upstream.script import vector

from .rows import KEY, credential, online, request, upstream

DOCUMENTS = ["cats sleep", "dogs bark at cats", "the stars shine"]


@pytest.mark.parametrize("name", online(ModelType.TEXT_EMBEDDING))
async def test_vectors_come_in_the_order_of_the_texts(name: str, runtime: ModelRuntime) -> None:
    async with upstream(name) as up:
        texts = [f"text number {number}" for number in range(40)]
        result = await runtime.embed(name, [credential(name, up)], "test-model", texts)
        assert [list(row) for row in result.vectors] == [vector(text, 4) for text in texts]
        assert up.requests == 3
        assert result.usage.prompt_tokens in (0, 120)


@pytest.mark.parametrize("name", online(ModelType.TEXT_EMBEDDING))
async def test_no_texts_need_no_call(name: str, runtime: ModelRuntime) -> None:
    async with upstream(name) as up:
        assert (await runtime.embed(name, [credential(name, up)], "test-model", [])).vectors == []
        assert up.requests == 0


@pytest.mark.parametrize("name", online(ModelType.TEXT_EMBEDDING))
async def test_a_passing_failure_of_an_embedding_is_tried_again(name: str, runtime: ModelRuntime) -> None:
    async with upstream(name) as up:
        up.script = Script(fail=503, fail_times=1, dribble=True)
        result = await runtime.embed(name, [credential(name, up)], "test-model", ["a"])
        assert [list(row) for row in result.vectors] == [vector("a", 4)]
        assert up.requests == 2


@pytest.mark.parametrize("name", online(ModelType.TEXT_EMBEDDING))
async def test_a_refused_key_is_told_without_showing_it(name: str, runtime: ModelRuntime) -> None:
    async with upstream(name) as up:
        up.script = Script(fail=401, fail_message=f"bad key {KEY}")
        with pytest.raises(ProviderNotInitialize) as caught:
            await runtime.embed(name, [credential(name, up)], "test-model", ["a"])
        assert KEY not in caught.value.message


@pytest.mark.parametrize("name", online(ModelType.RERANK))
async def test_documents_come_ranked_with_their_index(name: str, runtime: ModelRuntime) -> None:
    async with upstream(name) as up:
        ranked = await runtime.rerank(name, [credential(name, up)], "test-model", "dogs bark", DOCUMENTS, top_n=2)
        assert [row.index for row in ranked] == [1, 0]
        assert ranked[0].score > ranked[1].score
        assert await runtime.rerank(name, [credential(name, up)], "test-model", "dogs", []) == ()
        assert up.requests == 1


@pytest.mark.parametrize("name", online(ModelType.SPEECH2TEXT))
async def test_speech_becomes_text(name: str, runtime: ModelRuntime) -> None:
    async with upstream(name) as up:
        up.script = Script(transcript="Grüße")
        text = await runtime.transcribe(
            name, [credential(name, up)], "test-model", b"RIFF....", filename='a b".wav', mime_type="audio/wav"
        )
        assert text == "Grüße"
        assert b"audio/wav" in up.last.raw
        assert b"RIFF...." in up.last.raw


@pytest.mark.parametrize("name", online(ModelType.TTS))
async def test_text_becomes_speech(name: str, runtime: ModelRuntime) -> None:
    async with upstream(name) as up:
        pieces = [piece async for piece in runtime.speak(name, [credential(name, up)], "test-model", "Hi", voice="nova")]
        assert b"".join(pieces) == up.script.audio
        assert up.last.body == {"model": "test-model", "input": "Hi", "voice": "nova", "response_format": "mp3"}


@pytest.mark.parametrize("name", online(ModelType.TTS))
async def test_speech_is_tried_again_before_the_first_byte(name: str, runtime: ModelRuntime) -> None:
    async with upstream(name) as up:
        up.script = Script(fail=500, fail_times=1)
        pieces = [piece async for piece in runtime.speak(name, [credential(name, up)], "test-model", "Hi")]
        assert b"".join(pieces) == up.script.audio
        assert up.requests == 2


@pytest.mark.parametrize("flagged", [True, False])
@pytest.mark.parametrize("name", online(ModelType.MODERATION))
async def test_text_is_flagged_or_not(name: str, flagged: bool, runtime: ModelRuntime) -> None:
    async with upstream(name) as up:
        up.script = Script(flagged=flagged)
        assert await runtime.moderate(name, [credential(name, up)], "test-model", "text") is flagged


@pytest.mark.parametrize("name", online(ModelType.TEXT_EMBEDDING))
async def test_an_answer_of_another_shape_is_a_clear_error(name: str, runtime: ModelRuntime) -> None:
    async with upstream(name) as up:
        up.script = Script(fail=200, fail_message="surprise")
        with pytest.raises(ModelCallFailed, match="cannot be read"):
            await runtime.embed(name, [credential(name, up)], "test-model", ["a"])


@pytest.mark.parametrize("name", catalogue.names())
async def test_what_a_provider_does_not_have_is_refused_by_name(name: str, runtime: ModelRuntime) -> None:
    row = catalogue.provider_class(name)
    async with upstream(name if row.wire else "openai") as up:
        bound = [credential(name, up) if row.wire else Credential("", {})]
        missing = sorted(set(ModelType) - row.model_types)
        for model_type in missing:
            with pytest.raises(ModelNotSupported, match=f"no {model_type.value} models"):
                await _call(runtime, name, bound, model_type)
        assert up.requests == 0


async def _call(runtime: ModelRuntime, name: str, bound: list[Credential], model_type: ModelType) -> None:
    match model_type:
        case ModelType.LLM:
            await anext(runtime.stream(name, bound, request()))
        case ModelType.TEXT_EMBEDDING:
            await runtime.embed(name, bound, "m", ["a"])
        case ModelType.RERANK:
            await runtime.rerank(name, bound, "m", "q", ["a"])
        case ModelType.SPEECH2TEXT:
            await runtime.transcribe(name, bound, "m", b"", filename="a.mp3", mime_type="audio/mpeg")
        case ModelType.TTS:
            await anext(runtime.speak(name, bound, "m", "a"))
        case ModelType.MODERATION:
            await runtime.moderate(name, bound, "m", "a")
