"""An app as the file that this and other installations import, real Dify's included."""

from __future__ import annotations

from apps.dsl import checklist, plugins, withheld, writer
from apps.dsl.document import EMOJI, EMOJI_BACKGROUND, GRAPH_MODES, Document, Flow, Leftovers, Looks, compose
from apps.models import App, DslLeftovers
from difyproj.kernel import ids
from difyproj.kernel.errors import WorkflowNotFound
from workflows.models import Workflow
from workflows.services import environment, graphs

from .. import apps


def export(app: App, *, include_secret: bool = False, workflow_id: str = "") -> str:
    """The app's YAML, of its draft or of one of its versions; the same app gives the same bytes.

    Secrets come only with ``include_secret``, ids of this workspace never. Raises WorkflowNotFound for a version of another.
    """
    made = document_of(app, include_secret=include_secret, workflow_id=workflow_id)
    rows = plugins.dependencies(made)
    shown = withheld.without_addresses(made)
    return writer.write(compose(shown if include_secret else withheld.without_secrets(shown), rows))


def document_of(app: App, *, include_secret: bool = False, workflow_id: str = "") -> Document:
    """What the app's rows hold. Without ``include_secret`` nothing that is sealed is opened."""
    row = DslLeftovers.objects.for_tenant(app.tenant_id).filter(app=app).first()
    is_graph = app.mode in GRAPH_MODES
    return Document(
        app=_looks(app),
        config=None if is_graph else apps.shown_configuration(app),
        flow=_flow(app, include_secret, workflow_id) if is_graph else None,
        leftovers=Leftovers(**row.parts) if row is not None else Leftovers(),
    )


def _looks(app: App) -> Looks:
    """An icon that is an upload belongs to this workspace: elsewhere its id leads nowhere."""
    is_image = app.icon_type == "image"
    return Looks(
        name=app.name,
        mode=app.mode,
        description=app.description,
        icon_type="emoji" if is_image else app.icon_type,
        icon=EMOJI if is_image else app.icon,
        icon_background=EMOJI_BACKGROUND if is_image else app.icon_background,
        use_icon_as_answer_icon=app.use_icon_as_answer_icon,
    )


def _flow(app: App, include_secret: bool, workflow_id: str) -> Flow:
    row = _version(app, workflow_id)
    if row is None:
        return Flow(graph=graphs.first(app.mode))
    return Flow(
        graph=checklist.graph(row.graph),
        features=row.features,
        environment_variables=environment.opened(row) if include_secret else row.environment_variables,
        conversation_variables=row.conversation_variables,
    )


def _version(app: App, workflow_id: str) -> Workflow | None:
    """The version of this id, else the draft; None for an app that nobody has drawn yet."""
    rows = Workflow.objects.for_tenant(app.tenant_id).filter(app=app).select_related("tenant")
    if not workflow_id:
        return rows.drafts().first()
    key = ids.parse(workflow_id)
    found = rows.filter(pk=key).first() if key else None
    if found is None:
        raise WorkflowNotFound
    return found
