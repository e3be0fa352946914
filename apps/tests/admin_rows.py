"""A little of everything for the tests of the admin: two tenants, enough rows that a query per row would show."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from apps.models import (
    ApiToken,
    App,
    Conversation,
    EndUser,
    Feedback,
    Message,
    MessageFile,
    Run,
    Site,
    UploadFile,
)
from difyproj.testing.cast import Cast, Person
from difyproj.testing.served import Key, make_app

MANY = 12
SCRIPT = "<script>alert('asked')</script>"


@dataclass(frozen=True, slots=True)
class Rows:
    """``app`` is Alice's with ``MANY`` rows of each kind, the others are the newest of them."""

    key: Key
    app: App
    site: Site
    token: ApiToken
    end_user: EndUser
    conversation: Conversation
    message: Message
    feedback: Feedback
    run: Run
    upload_file: UploadFile


def furnish(cast: Cast) -> Rows:
    for number in range(MANY):
        make_app(cast.eve, "chat", pre_prompt=str(number))
    key = make_app(cast.alice, "chat", pre_prompt="You are kind.")
    for number in range(MANY - 1):
        _exchange(cast.alice, key.app, number)
    message, feedback, upload_file = _exchange(cast.alice, key.app, MANY)
    assert message.run is not None and message.end_user is not None
    return Rows(
        key=key,
        app=key.app,
        site=Site.objects.get(app=key.app),
        token=ApiToken.objects.get(app=key.app),
        end_user=message.end_user,
        conversation=message.conversation,
        message=message,
        feedback=feedback,
        run=message.run,
        upload_file=upload_file,
    )


def _exchange(person: Person, app: App, number: int) -> tuple[Message, Feedback, UploadFile]:
    owned = {"tenant": person.tenant, "app": app}
    user = EndUser.objects.create(**owned, type="service-api", session_id=f"user-{number}")
    said = {**owned, "end_user": user}
    run = Run.objects.create(**said, mode="chat", tier="service-api", status="succeeded", total_tokens=12, elapsed_time=0.5)
    conversation = Conversation.objects.create(
        **said, mode="chat", tier="service-api", name=f"Talk {number}", inputs={"topic": "rain"}
    )
    message = Message.objects.create(
        **said,
        conversation=conversation,
        run=run,
        tier="service-api",
        query=f"{SCRIPT} Will it rain on day {number}?",
        answer="It will.\nTake an umbrella.",
        inputs={"topic": "rain"},
        metadata={"usage": {"total_tokens": 12}},
        model_provider="openai",
        model_name="gpt-4o-mini",
        message_tokens=7,
        answer_tokens=5,
        total_price=Decimal("0.0001230000"),
    )
    file = UploadFile.objects.create(
        **said, key=f"upload_files/{run.pk}", name=f"sky-{number}.png", size=2048, mime_type="image/png", hash="0" * 64
    )
    MessageFile.objects.create(message=message, type="image", transfer_method="local_file", upload_file=file)
    feedback = Feedback.objects.create(**said, conversation=conversation, message=message, rating="like", content="Right!")
    return message, feedback, file
