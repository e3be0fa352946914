"""What a model said before it failed is not lost, however both came in one piece."""

from __future__ import annotations

import pytest

from difyproj.model_runtime.base import Credential, ModelRequest
from difyproj.model_runtime.errors import ModelCallFailed
from difyproj.model_runtime.messages import Delta, PromptMessage, Role
from difyproj.model_runtime.runtime import ModelRuntime
from difyproj.testing.upstream import FakeUpstream, Script


@pytest.mark.parametrize("tokens", [1, 2, 6])
async def test_text_before_an_error_in_the_same_piece_is_handed_on(runtime: ModelRuntime, tokens: int) -> None:
    script = Script(tokens=[f"t{number} " for number in range(tokens)], stream_error="boom")
    async with FakeUpstream(wire="openai", script=script) as upstream:
        values = {"openai_api_key": "sk-test", "openai_api_base": upstream.url}
        request = ModelRequest("gpt-4o-mini", [PromptMessage(Role.USER, "Hello?")])
        said: list[str] = []
        with pytest.raises(ModelCallFailed, match="boom"):
            async for item in runtime.stream("openai", [Credential("c", values)], request):
                if isinstance(item, Delta):
                    said.append(item.text)
    assert "".join(said) == "".join(script.tokens)
    assert upstream.requests == 1
