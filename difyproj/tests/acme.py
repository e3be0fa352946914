"""Alice's belongings of every kind for the sweeps, by the names that paths and bodies give their ids."""

from __future__ import annotations

from uuid import UUID

from allauth.socialaccount.models import SocialAccount
from asgiref.sync import sync_to_async

from accounts.models import ModelSetting, Session, SessionScope
from accounts.models.tag import TagType
from accounts.policies import Role
from accounts.services import accounts, credentials, sessions, tags, tenants
from apps.models import AnnotationHit, AnnotationReply, ApiToken, EndUser, Message, PinnedConversation, SavedMessage, UploadFile
from apps.services import annotation, annotation_reply, app_stars, dataset_keys, dsl, sites
from apps.services import tags as app_tags
from difyproj.infra.models import Job
from difyproj.kernel import clock
from difyproj.testing.cast import PASSWORD, Person
from difyproj.testing.console import signed_in, visiting
from difyproj.testing.served import MODEL, PROVIDER, Served

from . import acme_flows, acme_knowledge

SECRET = "Alice's secret question"
OTHER_MODEL = "acme-private-model"
VISITOR = "visitor-1"
"""Names that are no ids: everybody may say them."""
NAMES = {
    "provider": PROVIDER,
    "model": MODEL,
    "model_type": "llm",
    "icon_type": "icon_small",
    "lang": "en_US",
    "password": PASSWORD,
    "sign_in": "github",
    "node_id": "start",
    "block_type": "llm",
    "node_type": "start",
}


async def furnish(house: Served) -> dict[str, str]:
    """Rows of all kinds in Acme; what is asked is ``SECRET``."""
    await house.configure(
        house.chat,
        text_to_speech={"enabled": True},
        speech_to_text={"enabled": True},
        suggested_questions_after_answer={"enabled": True},
        file_upload={"enabled": True, "allowed_file_types": ["image"], "allowed_file_upload_methods": ["local_file"]},
    )
    alice = await signed_in(house, house.cast.alice)
    visitor = await visiting(house, house.chat.app, user_id=VISITOR)
    ask = {"inputs": {}, "query": SECRET, "response_mode": "blocking"}
    served = (await house.ask(SECRET, response_mode="blocking", auto_generate_name=False)).json()
    debugged = (await alice.post(f"/apps/{house.chat.app.pk}/chat-messages", ask)).json()
    visited = (await visitor.post("/chat-messages", {**ask, "auto_generate_name": False})).json()
    written = (
        await house.call(
            "POST",
            "/v1/completion-messages",
            key=house.completion,
            json={**ask, "user": "u1", "inputs": {"query": SECRET}},
        )
    ).json()
    ids = {
        "conversation_id": served["conversation_id"],
        "message_id": served["message_id"],
        "task_id": served["task_id"],
        "debug_conversation_id": debugged["conversation_id"],
        "debug_message_id": debugged["message_id"],
        "web_conversation_id": visited["conversation_id"],
        "web_message_id": visited["message_id"],
        "completion_message_id": written["message_id"],
        "completion_task_id": written["task_id"],
    }
    knowledge = await sync_to_async(acme_knowledge.furnish)(house.cast.alice, SECRET)
    return {**ids, **await sync_to_async(_rows)(house, ids), **knowledge, **await acme_flows.furnish(house, SECRET)}


def _rows(house: Served, ids: dict[str, str]) -> dict[str, str]:
    alice = house.cast.alice
    principal, chat = alice.principal, house.chat.app
    written = Message.objects.get(pk=ids["completion_message_id"])
    noted = annotation.create(chat, question=SECRET, answer="Hush.", account_id=alice.account.pk)
    AnnotationHit.objects.create(
        tenant=alice.tenant, app=chat, annotation=noted, question=SECRET, source="api",
        annotation_question=SECRET, annotation_content="Hush.",
    )  # fmt: skip
    replies = annotation_reply.enable(chat, provider="builtin", model="hashing-384", score_threshold=0.9, by=None)
    tag = tags.create(principal=principal, type=TagType.APP, name="Confidential", created_by=alice.account)
    app_tags.bind(principal=principal, tag_ids=[tag.pk], type=TagType.APP, target_id=chat.pk)
    app_stars.add(principal, chat)
    key, _ = dataset_keys.create(principal)
    values = {"openai_api_key": "sk-other-0123456789abcdef", "openai_api_base": house.upstream.url}
    second = credentials.create(tenant=alice.tenant, provider=PROVIDER, values=values, name="second")
    own = credentials.create(
        tenant=alice.tenant, provider=PROVIDER, values=values, name="own", model_type="llm", model=OTHER_MODEL
    )
    ModelSetting.objects.create(tenant=alice.tenant, provider=PROVIDER, model_type="llm", model=OTHER_MODEL)
    visitor = EndUser.objects.get(messages=UUID(ids["web_message_id"]))
    PinnedConversation.objects.create(app=chat, end_user=visitor, conversation_id=ids["web_conversation_id"])
    SavedMessage.objects.create(app=chat, end_user=visitor, message_id=ids["web_message_id"])
    job = _import(house, principal_id=alice.account.pk)
    SocialAccount.objects.create(user=alice.account, provider="oidc", uid="alice")
    sessions.open(alice.account, method="test")
    sessions.open(alice.account, method="test", scope=SessionScope.WEB_APP)
    return {
        "app_id": str(chat.pk),
        "completion_app_id": str(house.completion.app.pk),
        "completion_conversation_id": str(written.conversation_id),
        "annotation_id": str(noted.pk),
        "job_id": str(job.pk),
        "reply_job_id": str(replies.pk),
        "annotation_setting_id": str(AnnotationReply.objects.get(app=chat).pk),
        "import_id": str(_waiting(house)),
        "file_id": job.target_id,
        "tag_id": str(tag.pk),
        "key_id": str(ApiToken.objects.filter(app=chat).earliest("created_at").pk),
        "dataset_key_id": str(key.pk),
        "credential_id": str(second.pk),
        "model_credential_id": str(own.pk),
        "config_id": str(own.pk),
        "member_id": str(house.cast.norma.account.pk),
        "tenant_id": str(alice.tenant.pk),
        "session_id": str(Session.objects.filter(account=alice.account, scope=SessionScope.CONSOLE).latest("created_at").pk),
        "end_user_id": str(visitor.pk),
        "site_code": sites.of(chat).code,
    }


def _waiting(house: Served) -> UUID:
    """A file of a newer DSL, whose text is a secret."""
    text = f"version: 99.0.0\napp: {{name: x, mode: chat}}\nmodel_config: {{pre_prompt: {SECRET}}}"
    return dsl.take(tenant=house.cast.alice.tenant, by=house.cast.alice.account.pk, content=text).id


def _import(house: Served, *, principal_id: object) -> Job:
    alice = house.cast.alice
    upload = UploadFile.objects.create(
        tenant=alice.tenant, app=house.chat.app, key=f"upload_files/{alice.tenant.pk}/rows.csv", name="rows.csv",
        size=1, mime_type="text/csv", hash="0" * 64, created_at=clock.now(),
    )  # fmt: skip
    return annotation.begin_import(house.chat.app, upload, alice.principal)


def hire(owner: Person, role: Role) -> Person:
    """Somebody new in the owner's tenant. In a thread of the database."""
    account = accounts.create(email=f"{role}@{owner.account.email.partition('@')[2]}", name=f"New {role}", password=PASSWORD)
    membership = tenants.add_member(tenant=owner.tenant, account=account, role=role, invited_by=owner.account)
    return Person(account, owner.tenant, membership)
