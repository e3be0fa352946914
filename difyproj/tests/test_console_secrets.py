"""No read of the Console API holds a secret that was saved, and the audit log names who saved it without it."""

from __future__ import annotations

from difyproj.infra.models import AuditEntry
from difyproj.kernel import jsonio
from difyproj.testing.console import signed_in
from difyproj.testing.served import Served

from .routes import routes

KEY = "sk-live-0123456789abcdefghij"
OPENAI = "langgenius/openai/openai"
QUERY = {"model": "gpt-4o-mini", "model_type": "llm"}


async def test_no_read_shows_a_saved_key(house: Served) -> None:
    client = await signed_in(house, house.cast.alice)
    values = {"openai_api_key": KEY, "openai_api_base": house.upstream.url}
    for path, more in (("credentials", {}), ("models/credentials", QUERY)):
        body = {"name": "mine", "credentials": values, **more}
        assert (await client.post(f"/workspaces/current/model-providers/{OPENAI}/{path}", body)).status == 201
    token = (await client.post("/datasets/api-keys")).json()["token"]
    reached = 0
    for route in routes("console/api/"):
        if "get" in route.methods:
            ids = {name: OPENAI if name == "provider" else str(house.chat.app.pk) for name in route.parameters}
            answer = await client.get(route.path.removeprefix("/console/api").format(**ids), **QUERY)
            assert KEY.encode() not in answer.body and token.encode() not in answer.body, route.path
            reached += answer.status == 200
    assert reached > 30


async def test_the_audit_log_says_who_saved_a_key_and_not_which(house: Served) -> None:
    client = await signed_in(house, house.cast.alice)
    values = {"openai_api_key": KEY, "openai_api_base": house.upstream.url}
    await client.post(f"/workspaces/current/model-providers/{OPENAI}/credentials", {"name": "mine", "credentials": values})
    entry = await AuditEntry.objects.aget(action="modelcredential.created", after__name="mine")
    assert (entry.actor_kind, entry.actor_id) == ("account", house.cast.alice.account.pk)
    assert entry.tenant_id == house.cast.alice.tenant.pk
    assert KEY not in str(jsonio.dumps(entry.after)) and house.upstream.url not in str(entry.after)
