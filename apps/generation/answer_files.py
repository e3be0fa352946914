"""The files of a chatflow's answer as rows, so that lists of messages show them like those of the question."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from uuid import uuid5

from apps.models import MessageFile, UploadFile
from apps.services import files
from difyproj.infra.inserts import storable
from difyproj.kernel.principal import ActorKind, Principal, Tier
from workflows.engine.values import files_of

from .request import Reply

ANSWERS: Final = "assistant"
MOST: Final = 50
REMOTE: Final = "remote_url"


def keep(reply: Reply, outputs: Mapping[str, Any]) -> None:
    """Within the transaction of the run's end; safe to repeat. Variables may name any upload: only the asker's own count."""
    found = files_of(outputs.get("files"))[:MOST]
    if not found:
        return
    uploads = files.own(_asker(reply), [_upload_id(file) for file in found])
    rows = [_row(reply, number, file, uploads.get(_upload_id(file))) for number, file in enumerate(found)]
    MessageFile.objects.bulk_create([row for row in rows if row is not None], ignore_conflicts=True)


def _row(reply: Reply, number: int, file: Mapping[str, Any], upload: UploadFile | None) -> MessageFile | None:
    method = str(file.get("transfer_method") or "")
    url = str(file.get("remote_url") or file.get("url") or "") if method == REMOTE else ""
    if upload is None and not url.startswith(("http://", "https://")):
        return None
    assert reply.message_id is not None
    return MessageFile(
        id=uuid5(reply.message_id, str(number)),
        message_id=reply.message_id,
        type=str(file.get("type") or "custom")[:16],
        transfer_method=method[:16],
        url="" if upload else storable(url),
        belongs_to=ANSWERS,
        upload_file=upload,
    )


def _upload_id(file: Mapping[str, Any]) -> str:
    return str(file.get("related_id") or file.get("id") or "")


def _asker(reply: Reply) -> Principal:
    kind = ActorKind.ACCOUNT if reply.account_id else ActorKind.END_USER
    actor = reply.account_id or reply.end_user_id or reply.run_id
    return Principal(reply.tenant_id, kind, actor, Tier(reply.tier), app_id=reply.app_id)
