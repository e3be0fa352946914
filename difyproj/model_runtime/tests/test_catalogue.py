"""The catalogue: names as app files write them, facts, parameter rules, prices."""

from __future__ import annotations

from decimal import Decimal

import pytest

from difyproj.kernel.registry import UnknownEntry
from difyproj.model_runtime import catalogue, model_facts, presets
from difyproj.model_runtime.base import ModelType
from difyproj.model_runtime.messages import TokenUsage
from difyproj.model_runtime.usage import PricedUsage, price
from workflows.engine.events import Usage

FEATURES = {
    *("vision", "tool-call", "multi-tool-call", "stream-tool-call", "agent-thought"),
    *("document", "audio", "video", "structured-output"),
    "dimensions",
}
QUIRKS = {"no_sampling", "no_stop", "max_completion_tokens", "one_sampler", "thought_signature"}
QUIRKS |= {"adaptive_thinking", "output_format"}


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("openai", "openai"),
        ("langgenius/openai/openai", "openai"),
        ("langgenius/gemini/google", "gemini"),
        ("google", "gemini"),
        ("langgenius/tongyi/tongyi", "tongyi"),
        ("langgenius/openai_api_compatible/openai_api_compatible", "openai_api_compatible"),
        ("langgenius/volcengine_maas/volcengine_maas", "volcengine_maas"),
        ("langgenius/x/x", "x"),
        ("xai", "x"),
        ("zhipu", "zhipuai"),
        ("mistral", "mistralai"),
        (" Langgenius/OpenAI/OpenAI ", "openai"),
        ("demo", "demo"),
    ],
)
def test_names_of_app_files_resolve_to_rows(written: str, name: str) -> None:
    assert catalogue.resolve(written) == name


@pytest.mark.parametrize("name", catalogue.names())
def test_the_name_that_clients_know_leads_back(name: str) -> None:
    assert catalogue.resolve(catalogue.public_name(name)) == name


def test_clients_know_a_provider_by_its_plug_in() -> None:
    assert catalogue.public_name("openai") == "langgenius/openai/openai"
    assert catalogue.public_name("google") == "langgenius/gemini/google"
    assert catalogue.public_name("demo") == "demo"


@pytest.mark.parametrize("written", ["", "nobody", "langgenius/bedrock/bedrock", "../openai.yaml"])
def test_unknown_names_say_what_is_known(written: str) -> None:
    with pytest.raises(UnknownEntry, match="Known: openai, azure_openai"):
        catalogue.resolve(written)


@pytest.mark.parametrize("name", catalogue.names())
def test_every_row_is_complete_and_named_as_its_row(name: str) -> None:
    row = catalogue.info(name)
    assert row.name == name
    assert row.label
    assert row.model_types
    fields = {form.name for form in row.credential_fields}
    assert {row.key_field, row.url_field} - {""} <= fields
    assert row.is_preset == (name in presets.rows())
    assert {facts.model_type for facts in catalogue.models(name)} <= row.model_types


@pytest.mark.parametrize("name", catalogue.names())
def test_every_fact_is_of_a_known_kind(name: str) -> None:
    for facts in catalogue.models(name):
        assert facts.features <= FEATURES
        assert facts.quirks <= QUIRKS
        assert facts.mode in ("chat", "completion")
        assert facts.context_size > 0
        assert min(Decimal(facts.prices.input), Decimal(facts.prices.output), Decimal(facts.prices.unit)) >= 0
        assert facts.prices.currency in ("USD", "RMB")
        assert bool(facts.voices) == (facts.model_type is ModelType.TTS)
        names = [rule.name for rule in facts.parameter_rules]
        assert len(names) == len(set(names))
        for rule in facts.parameter_rules:
            assert rule.type in ("float", "int", "string", "text", "boolean")
            if rule.min is not None and rule.max is not None:
                assert rule.min <= rule.max


def test_every_facts_file_belongs_to_a_row() -> None:
    files = {path.stem for path in model_facts.FOLDER.glob("*.yaml")}
    assert files - {"_parameters", "presets"} <= set(catalogue.names())


def test_a_known_model_has_its_facts() -> None:
    facts = catalogue.facts("langgenius/openai/openai", "gpt-4o")
    assert (facts.known, facts.context_size, facts.max_output, facts.prices.input) == (True, 128000, 16384, "2.50")
    assert "vision" in facts.features
    rule = facts.rule("max_tokens")
    assert rule is not None
    assert (rule.type, rule.min, rule.max) == ("int", 1, 16384)
    assert facts.rule("top_k") is None
    effort = catalogue.facts("openai", "gpt-5").rule("reasoning_effort")
    assert effort is not None
    assert list(effort.options) == ["minimal", "low", "medium", "high"]


@pytest.mark.parametrize(
    ("model", "family"), [("gpt-4o-2024-11-20", "gpt-4o"), ("o3-2025-04-16", "o3"), ("gpt-4.1-mini-2025", "gpt-4.1-mini")]
)
def test_a_dated_model_has_the_facts_of_its_family(model: str, family: str) -> None:
    facts = catalogue.facts("openai", model)
    assert (facts.model, facts.known, facts.prices) == (model, False, catalogue.facts("openai", family).prices)


def test_an_unknown_model_has_safe_defaults() -> None:
    facts = catalogue.facts("vllm", "my-own-model")
    assert (facts.known, facts.mode, facts.context_size, facts.prices.input) == (False, "chat", 32768, "0")
    assert facts.rule("temperature") is not None
    assert catalogue.facts("jina", "new", ModelType.RERANK).model_type is ModelType.RERANK


def test_what_the_tenant_says_of_its_own_model_wins() -> None:
    said = {"context_size": "4096", "mode": "completion", "vision_support": "support", "function_calling_type": "no_call"}
    facts = catalogue.facts("openai_api_compatible", "mine", credential={**said, "max_tokens_to_sample": "many"})
    assert (facts.context_size, facts.mode, facts.max_output) == (4096, "completion", 8192)
    assert "vision" in facts.features
    assert "tool-call" not in facts.features
    azure = catalogue.facts("azure_openai", "my-deployment", credential={"base_model_name": "gpt-4o"})
    assert (azure.model, azure.prices.input) == ("my-deployment", "2.50")


def test_models_are_listed_by_type() -> None:
    assert next(facts.model for facts in catalogue.models("cohere", ModelType.RERANK)) == "rerank-v3.5"
    assert {facts.model_type for facts in catalogue.models("demo")} == set(ModelType)


def test_prices_are_exact_decimal_strings() -> None:
    priced = price(TokenUsage(1234, 567), catalogue.facts("openai", "gpt-4o"))
    assert (priced.prompt_unit_price, priced.prompt_price_unit, priced.prompt_price) == ("2.50", "0.000001", "0.0030850")
    assert (priced.completion_price, priced.total_price, priced.currency) == ("0.0056700", "0.0087550", "USD")
    assert priced.total_tokens == 1801
    free = price(TokenUsage(5, 5), catalogue.facts("ollama", "llama3.1:8b"))
    assert (free.prompt_price, free.total_price, free.total_tokens) == ("0", "0", 10)
    assert price(TokenUsage(1, 1), catalogue.facts("tongyi", "qwen-plus")).currency == "RMB"


def test_priced_usage_has_exactly_the_fields_of_the_engine() -> None:
    priced = PricedUsage()
    assert {name: getattr(priced, name) for name in PricedUsage.__slots__} == {
        name: getattr(Usage(), name) for name in Usage.__struct_fields__
    }
