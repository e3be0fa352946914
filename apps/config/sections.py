"""The sections of an app's configuration. All are frozen; fields that nobody knows are kept for the way back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

LONGEST_KEYWORD: Final = 100


class Section(BaseModel):
    """Base of all sections. Null fields count as absent, and an empty list where an object belongs as an empty object."""

    model_config = ConfigDict(frozen=True, extra="allow", protected_namespaces=(), coerce_numbers_to_str=True)

    @model_validator(mode="before")
    @classmethod
    def _forgive(cls, value: Any) -> Any:
        if isinstance(value, Mapping):
            return {name: item for name, item in value.items() if item is not None or name not in cls.model_fields}
        return {} if value is None or value == [] or value == "" else value


class Toggle(Section):
    enabled: bool = False


def _mode(value: Any) -> Any:
    return value or "chat"


class Model(Section):
    """The chosen model. ``provider`` may be short (``openai``) or a plug-in path (``langgenius/openai/openai``)."""

    provider: str = ""
    name: str = ""
    mode: Annotated[Literal["chat", "completion"], BeforeValidator(_mode)] = "chat"
    completion_params: dict[str, Any] = {}

    @model_validator(mode="before")
    @classmethod
    def _old_name(cls, value: Any) -> Any:
        if isinstance(value, Mapping) and not value.get("name") and value.get("model_id"):
            return {**value, "name": value["model_id"]}
        return value


class PromptRow(Section):
    role: Literal["system", "user", "assistant"] = "user"
    text: str = ""


class ChatPrompt(Section):
    prompt: tuple[PromptRow, ...] = ()


class CompletionText(Section):
    text: str = ""


class HistoryRoles(Section):
    user_prefix: str = "Human"
    assistant_prefix: str = "Assistant"


class CompletionPrompt(Section):
    prompt: CompletionText = CompletionText()
    conversation_histories_role: HistoryRoles = HistoryRoles()


class TextToSpeech(Toggle):
    voice: str | None = None
    language: str | None = None
    autoPlay: str | None = None


class ModerationSide(Toggle):
    preset_response: str = ""


class ModerationRules(Section):
    """``keywords`` holds one keyword or phrase per line; what ``words`` cuts is still sent back as it was written."""

    keywords: str = ""
    inputs_config: ModerationSide = ModerationSide()
    outputs_config: ModerationSide = ModerationSide()

    @property
    def words(self) -> tuple[str, ...]:
        """The keywords. A longer one than ``LONGEST_KEYWORD`` is looked for by its beginning: nothing it forbids gets by."""
        lines = (line.strip()[:LONGEST_KEYWORD].rstrip() for line in self.keywords.splitlines())
        return tuple(dict.fromkeys(line for line in lines if line))


class Moderation(Toggle):
    """``type`` is keywords, openai_moderation or api."""

    type: str = ""
    config: ModerationRules = ModerationRules()


class ImageUpload(Toggle):
    number_limits: int = 3
    detail: str = "high"
    transfer_methods: tuple[str, ...] = ("remote_url", "local_file")


class FileUpload(Toggle):
    """Both shapes: the older one has only ``image``; the newer one names file types beside it."""

    allowed_file_types: tuple[str, ...] = ()
    allowed_file_extensions: tuple[str, ...] = ()
    allowed_file_upload_methods: tuple[str, ...] = ()
    number_limits: int = 3
    image: ImageUpload = ImageUpload()

    @property
    def takes_files(self) -> bool:
        return self.enabled or self.image.enabled

    @property
    def most(self) -> int:
        """How many files a question may bring."""
        return self.number_limits if self.enabled else self.image.number_limits


def dataset_ids(rows: tuple[dict[str, Any], ...]) -> list[str]:
    """Of rows ``{"dataset": {"enabled": bool, "id": str}}``; others name none."""
    named = [row.get("dataset") for row in rows]
    return [str(one["id"]) for one in named if isinstance(one, Mapping) and one.get("id") and one.get("enabled") is not False]


def _filtering(value: Any) -> Any:
    return value or "disabled"


def _object(value: Any) -> Any:
    return value if isinstance(value, Mapping) else None


Object = Annotated[dict[str, Any] | None, BeforeValidator(_object)]


class Datasets(Section):
    """Rows ``{"dataset": {"enabled": bool, "id": str}}``."""

    datasets: tuple[dict[str, Any], ...] = ()


RETRIEVAL: Final = ("top_k", "score_threshold", "score_threshold_enabled", "reranking_enable", "reranking_mode",
    "reranking_model", "weights")  # fmt: skip


class DatasetConfigs(Section):
    """How knowledge is retrieved. The shapes of rerank model, weights and conditions are those of the retrieval itself."""

    retrieval_model: str = "multiple"
    datasets: Datasets = Datasets()
    top_k: int | None = None
    score_threshold: float | None = None
    score_threshold_enabled: bool = False
    reranking_enable: bool = False
    reranking_mode: str | None = None
    reranking_model: Object = None
    weights: Object = None
    metadata_filtering_mode: Annotated[Literal["disabled", "automatic", "manual"], BeforeValidator(_filtering)] = "disabled"
    metadata_model_config: Object = None
    metadata_filtering_conditions: Object = None

    @property
    def retrieval(self) -> dict[str, Any]:
        """How several datasets are searched."""
        return {name: value for name in RETRIEVAL if (value := getattr(self, name)) is not None}


class AgentMode(Toggle):
    strategy: str | None = None
    max_iteration: int | None = Field(default=None, ge=1)
    tools: tuple[dict[str, Any], ...] = ()
