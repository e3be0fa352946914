"""The dry run of an import: what of a file is wrong, missing here, or known here by another name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from apps import config
from difyproj.kernel.errors import InvalidParam
from difyproj.kernel.registry import UnknownEntry
from difyproj.model_runtime import catalogue
from difyproj.model_runtime.base import ModelType
from workflows.nodes import NODES
from workflows.tools import catalogue as tools

from . import plugins, versions
from .document import Document
from .findings import Finding, Level, about
from .graph_faults import faults
from .needs import CONFIG, Kind, Need, needs_of

_FOREIGN = frozenset({"api", "workflow", "mcp", "app"})


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the place of an import has; None is not known and not asked for.

    ``providers`` are those whose models can be called, ``models`` the pairs of provider and model that the workspace knows,
    both by the catalogue's names; ``tools`` the names of its own tools, beyond those that are built in, by their provider
    as the tools' catalogue shortens it; ``strategies`` the providers of agent strategies.
    """

    providers: frozenset[str] | None = None
    models: frozenset[tuple[str, str]] = frozenset()
    datasets: frozenset[str] | None = None
    tools: Mapping[str, frozenset[str]] = field(default_factory=dict)
    strategies: frozenset[str] = frozenset()
    credentials: frozenset[str] = frozenset()


def report(document: Document, here: Surroundings) -> list[Finding]:
    """Every finding, in the order of the file."""
    found = [*_of_version(document.version)]
    if document.config is not None:
        found += _of_config(document)
    if document.flow is not None:
        found += faults(document.flow)
    for need in needs_of(document):
        found += _CHECKS[need.kind](need, here)
    return [*found, *_of_plugins(document, here)]


def is_covered(plugin: str, here: Surroundings) -> bool:
    """Whether this house does itself what a plug-in (``org/plugin``) is installed for."""
    names = (*map(tools.plugin_id, (*tools.names(), *here.tools)), *here.strategies)
    return _provider(plugin) is not None or plugin in map(plugins.plugin_of, names)


def _of_version(version: str) -> Iterator[Finding]:
    try:
        fit = versions.fit(version)
    except InvalidParam as error:
        yield Finding(Level.ERROR, "version", error.message)
        return
    if fit is versions.Fit.PENDING:
        yield Finding(Level.WARNING, "version", f"{version} is not the version of this server, {versions.CURRENT}: confirm it.")


def _of_config(document: Document) -> Iterator[Finding]:
    try:
        config.parse(document.config)
    except InvalidParam as error:
        yield Finding(Level.ERROR, CONFIG, error.message, field=error.params or "")


def _of_type(need: Need, here: Surroundings) -> Iterator[Finding]:
    if need.name not in NODES:
        yield about(need, Level.MISSING, f"Nodes of the type {need.name} cannot run here.")
    elif NODES.resolve(need.name) != need.name:
        yield about(need, Level.MAPPED, f"{need.name} is {NODES.resolve(need.name)} here.")


def _of_model(need: Need, here: Surroundings) -> Iterator[Finding]:
    own = _provider(need.name)
    if own is None:
        yield about(need, Level.MISSING, f"The model provider {need.name} is not known here.")
        return
    if own != need.name:
        yield about(need, Level.MAPPED, f"{need.name} is {own} here.")
    if here.providers is not None and own not in here.providers:
        yield about(need, Level.MISSING, f"The model provider {own} has no credentials in this workspace.")
    elif (own, need.part) not in here.models and not _is_known(own, need):
        yield about(need, Level.WARNING, f"{need.part} is no model that {own} is known to have; it is called as it is written.")


def _provider(name: str) -> str | None:
    try:
        return catalogue.resolve(name)
    except UnknownEntry:
        return None


def _is_known(provider: str, need: Need) -> bool:
    kinds = {str(kind): kind for kind in ModelType}
    kind = kinds.get(need.family)
    return kind is None or catalogue.facts(provider, need.part, kind).known


def _of_tool(need: Need, here: Surroundings) -> Iterator[Finding]:
    is_foreign = need.family in _FOREIGN
    own = need.name if is_foreign else tools.short(need.name)
    known = here.tools if is_foreign else {**tools.names(), **here.tools}
    if need.part not in known.get(own, ()):
        what = f"The {need.family} tool" if is_foreign else "The tool"
        yield about(need, Level.MISSING, f"{what} {need.part} of {need.name} is not here.")
    elif own != need.name:
        yield about(need, Level.MAPPED, f"{need.name} is {own} here.")


def _of_strategy(need: Need, here: Surroundings) -> Iterator[Finding]:
    if need.name not in here.strategies:
        yield about(need, Level.MISSING, f"The agent strategy {need.part} of {need.name} is not here.")


def _of_dataset(need: Need, here: Surroundings) -> Iterator[Finding]:
    if here.datasets is not None and need.name not in here.datasets:
        yield about(need, Level.MISSING, "The dataset is not one of this workspace's: choose another.")


def _of_credential(need: Need, here: Surroundings) -> Iterator[Finding]:
    if need.name not in here.credentials:
        yield about(need, Level.MISSING, "The credential is not one of this workspace's: choose another.")


def _of_plugins(document: Document, here: Surroundings) -> Iterator[Finding]:
    """Those that no node speaks of: what a node lacks is said there."""
    named = {plugins.plugin_of(need.name) for need in needs_of(document)}
    for row in document.leftovers.dependencies or ():
        plugin = plugins.plugin_of_row(row)
        if plugin and plugin not in named and not is_covered(plugin, here):
            yield Finding(Level.WARNING, "dependencies", f"The plug-in {plugin} is not here.", "", "", Kind.PLUGIN, plugin)


_CHECKS = {
    Kind.NODE_TYPE: _of_type,
    Kind.MODEL: _of_model,
    Kind.TOOL: _of_tool,
    Kind.STRATEGY: _of_strategy,
    Kind.DATASET: _of_dataset,
    Kind.CREDENTIAL: _of_credential,
}
