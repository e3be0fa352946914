"""The whole configuration, and the way between it and its JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, ValidationError, field_validator

from difyproj.kernel.errors import InvalidParam

from .form import FormField
from .sections import (
    AgentMode,
    ChatPrompt,
    CompletionPrompt,
    DatasetConfigs,
    FileUpload,
    Model,
    Moderation,
    Section,
    TextToSpeech,
    Toggle,
    dataset_ids,
)

DEEPEST: Final = 64


def _prompt_type(value: Any) -> Any:
    return value or "simple"


class AppConfig(Section):
    """The configuration of a chat, agent-chat or completion app. Frozen: parse once and keep it."""

    model: Model = Model()
    prompt_type: Annotated[Literal["simple", "advanced"], BeforeValidator(_prompt_type)] = "simple"
    pre_prompt: str = ""
    chat_prompt_config: ChatPrompt = ChatPrompt()
    completion_prompt_config: CompletionPrompt = CompletionPrompt()
    user_input_form: tuple[FormField, ...] = ()
    opening_statement: str = ""
    suggested_questions: tuple[str, ...] = ()
    suggested_questions_after_answer: Toggle = Toggle()
    more_like_this: Toggle = Toggle()
    speech_to_text: Toggle = Toggle()
    text_to_speech: TextToSpeech = TextToSpeech()
    retriever_resource: Toggle = Toggle()
    annotation_reply: Toggle = Toggle()
    sensitive_word_avoidance: Moderation = Moderation()
    file_upload: FileUpload = FileUpload()
    dataset_configs: DatasetConfigs = DatasetConfigs()
    dataset_query_variable: str = ""
    agent_mode: AgentMode = AgentMode()
    external_data_tools: tuple[dict[str, Any], ...] = ()

    @property
    def dataset_ids(self) -> list[str]:
        """The datasets that the app asks; old files list them among the agent's tools."""
        return list(dict.fromkeys((*dataset_ids(self.dataset_configs.datasets.datasets), *dataset_ids(self.agent_mode.tools))))

    @field_validator("user_input_form")
    @classmethod
    def _variables_once(cls, fields: tuple[FormField, ...]) -> tuple[FormField, ...]:
        seen: set[str] = set()
        for field in fields:
            if field.variable in seen:
                raise ValueError(f"the variable {field.variable!r} appears twice")
            seen.add(field.variable)
        return fields


def parse(raw: Any) -> AppConfig:
    """The configuration in ``raw``. Raises InvalidParam whose ``params`` is the path of the first wrong field."""
    _check_keepable(raw)
    try:
        return AppConfig.model_validate(raw)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        path = ".".join(str(step) for step in first["loc"]) or "model_config"
        reason = first["msg"].removeprefix("Value error, ")
        raise InvalidParam(f"{path}: {reason}", params=path) from error


def _check_keepable(value: Any, depth: int = 0) -> None:
    """Fields that nobody knows are kept too: they must be what every database takes."""
    if isinstance(value, str):
        if "\0" in value:
            raise InvalidParam("The configuration holds a NUL character.", params="model_config")
    elif isinstance(value, Mapping | list | tuple):
        if depth == DEEPEST:
            raise InvalidParam("The configuration is nested too deeply.", params="model_config")
        for item in (*value.keys(), *value.values()) if isinstance(value, Mapping) else value:
            _check_keepable(item, depth + 1)


def dump(config: AppConfig, *, complete: bool = False) -> dict[str, Any]:
    """JSON of the configuration: what was set, unknown fields included; with ``complete`` also every default."""
    return config.model_dump(mode="json", exclude_unset=not complete)
