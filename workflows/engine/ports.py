"""What a run may ask of the world. The door hands these in; tests hand in fakes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

from difyproj.kernel.errors import AppUnavailable, InvalidParam
from difyproj.model_runtime.base import ModelRequest
from difyproj.model_runtime.messages import Delta, Part, TokenUsage

from .events import Usage


class ModelPort(Protocol):
    """Language models of the run's tenant."""

    def stream(self, provider: str, request: ModelRequest) -> AsyncIterator[Delta | TokenUsage]: ...

    def context_size(self, provider: str, model: str) -> int:
        """The model's context window in tokens."""

    def features(self, provider: str, model: str) -> frozenset[str]:
        """What the model can do, in Dify's words: ``tool-call``, ``structured-output``, ``vision``."""

    def count_tokens(self, provider: str, model: str, text: str) -> int:
        """A cheap estimate that never blocks."""

    async def exact_tokens(self, provider: str, model: str, text: str) -> int:
        """As exact as can be had offline; may use a thread."""

    def price(self, provider: str, model: str, tokens: TokenUsage) -> Usage:
        """Usage with prices filled in from the model's facts."""

    async def moderate(self, text: str) -> bool:
        """True when the tenant's default moderation model flags the text."""

    def speak(self, text: str, *, voice: str = "") -> AsyncIterator[bytes]:
        """The text as sound (mp3) by the tenant's default speech model, as it is made."""


class FilePort(Protocol):
    async def part(self, file_id: str, *, detail: str = "auto") -> Part | None:
        """The file as a prompt part for the model, or None when it has no such form."""


class StoragePort(Protocol):
    """The bytes of files. In pools files travel as mappings (``values.is_file``)."""

    async def read(self, file: Mapping[str, Any], *, limit: int) -> bytes:
        """The bytes of a file mapping, from the storage or its URL. Raises InvalidParam when it is gone or over ``limit``."""

    async def keep(self, data: bytes, *, name: str, mime_type: str) -> Mapping[str, Any]:
        """Stores what a node made or fetched and gives its mapping (``transfer_method`` tool_file)."""


FILE_LIMIT = 10 * 1024 * 1024
"""Bytes of one file that a node sends or fetches."""


@dataclass(frozen=True, slots=True)
class HttpCall:
    """One outbound request. ``headers`` may repeat a name; ``timeout`` is (connect, read, write) in seconds.

    ``secret`` names headers that hold credentials, beyond those whose name says so.
    """

    method: str
    url: str = field(repr=False)
    params: Sequence[tuple[str, str]] = field(default=(), repr=False)
    headers: Sequence[tuple[str, str]] = field(default=(), repr=False)
    body: bytes | None = field(default=None, repr=False)
    timeout: tuple[float, float, float] = (10.0, 60.0, 20.0)
    verify_tls: bool = True
    limit: int = FILE_LIMIT
    secret: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    status: int
    headers: Sequence[tuple[str, str]]
    body: bytes


class HttpPort(Protocol):
    async def send(self, call: HttpCall) -> HttpAnswer:
        """Through the guarded egress, redirects followed. Raises DomainError when refused, unreachable, late or too large."""


class CodeExecutionError(InvalidParam):
    """The code of a graph is wrong, failed, or asked for more than it may have. The text is for the graph's author."""


@dataclass(frozen=True, slots=True)
class CodeLimits:
    """The most that code may return: characters, elements, levels, decimals; the operator may change them."""

    string: int = 400_000
    largest: int = 2**63 - 1
    smallest: int = -(2**63 - 1)
    decimals: int = 20
    depth: int = 5
    numbers: int = 1000
    strings: int = 30
    objects: int = 30


class SandboxPort(Protocol):
    async def run_code(self, language: str, code: str, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
        """``main`` of ``code`` (``python3`` or ``javascript``) over ``inputs``: the object it returns.

        Raises CodeExecutionError when the code is at fault, and ServiceUnavailable when nothing can run it now.
        """

    async def render(self, source: str, values: Mapping[str, Any], *, limit: int) -> str:
        """A Jinja2 template, at most ``limit`` characters long when rendered. Raises InvalidParam, and ServiceUnavailable
        when nothing can render it now."""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """``provider_type`` as in graphs: builtin, api, workflow, mcp."""

    provider_type: str
    provider_id: str
    tool_name: str
    parameters: Mapping[str, Any]
    credential_id: str = ""


@dataclass(frozen=True, slots=True)
class ToolAnswer:
    text: str = ""
    files: Sequence[Mapping[str, Any]] = ()
    json: Sequence[Any] = ()
    variables: Mapping[str, Any] = field(default_factory=dict)
    usage: Usage | None = None


class ToolPort(Protocol):
    async def invoke(self, call: ToolCall) -> ToolAnswer:
        """Raises NotFound for a tool that is not there, DomainError when it fails."""


class KnowledgePort(Protocol):
    async def retrieve(
        self, query: str, dataset_ids: Sequence[str], settings: Mapping[str, Any]
    ) -> Sequence[Mapping[str, Any]]:
        """Passages as the graph's ``result`` holds them, best first. ``settings`` is the node's own data, with the values of
        its metadata conditions in place."""

    async def about(self, dataset_ids: Sequence[str]) -> Sequence[Mapping[str, Any]]:
        """Those of the datasets that may be asked: ``id``, ``name``, ``description``, ``fields`` with ``name`` and ``type``."""


class DocumentPort(Protocol):
    async def text(self, file: Mapping[str, Any]) -> str:
        """The text of a document file. Raises InvalidParam for one that cannot be read."""


class Absent:
    """Stands for a port that this run was not given: whatever is asked of it is refused."""

    def __init__(self, what: str) -> None:
        self._what = what

    def __getattr__(self, name: str) -> Any:
        async def refuse(*args: Any, **options: Any) -> Any:
            raise AppUnavailable(f"{self._what} cannot be used here.")

        return refuse


@dataclass(frozen=True, slots=True)
class Ports:
    """Everything a node may use, bundled for one run."""

    models: ModelPort
    files: FilePort
    storage: StoragePort = field(default_factory=partial(Absent, "Stored files"))
    http: HttpPort = field(default_factory=partial(Absent, "HTTP requests"))
    sandbox: SandboxPort = field(default_factory=partial(Absent, "Code"))
    tools: ToolPort = field(default_factory=partial(Absent, "Tools"))
    knowledge: KnowledgePort = field(default_factory=partial(Absent, "Knowledge"))
    documents: DocumentPort = field(default_factory=partial(Absent, "Documents"))
    code_limits: CodeLimits = CodeLimits()
