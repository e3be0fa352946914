"""Mail: sealed until it is sent, sent once the transaction is committed, tried again when the server is away."""

from __future__ import annotations

import smtplib
from typing import Any

import pytest
from django.core import mail as outbox
from django.core.mail.backends.locmem import EmailBackend
from django.db import transaction

from difyproj.infra import jobs, mail
from difyproj.infra.models import Job, OutgoingMail
from difyproj.kernel import ids
from difyproj.kernel.errors import InvalidParam

pytestmark = pytest.mark.usefixtures("house_db")

CODE = "one-time-428913"


@pytest.fixture(autouse=True)
def _outbox(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "outbox", [], raising=False)


def test_a_message_is_sent_by_a_job_and_then_forgotten() -> None:
    tenant_id = ids.new_id()
    row = mail.send("bob@acme.example", "Your\n code", f"It is {CODE}.", f"<b>{CODE}</b>", tenant_id=tenant_id)
    assert (row.kind, row.tenant_id, row.state) == ("infra.mail", tenant_id, "waiting")
    assert not outbox.outbox
    assert jobs.run_waiting() == 1
    (message,) = outbox.outbox
    assert isinstance(message, outbox.EmailMultiAlternatives)
    assert (message.to, message.subject, message.body) == (["bob@acme.example"], "Your code", f"It is {CODE}.")
    assert message.alternatives == [(f"<b>{CODE}</b>", "text/html")]
    assert not OutgoingMail.objects.exists()
    row.refresh_from_db()
    assert (row.state, row.result) == ("succeeded", {"sent": True})


def test_the_database_never_holds_a_code_that_can_be_read() -> None:
    mail.send("bob@acme.example", "Hello", CODE)
    (kept,) = OutgoingMail.objects.all()
    assert CODE.encode() not in bytes(kept.sealed) and b"bob" not in bytes(kept.sealed)
    assert CODE not in str(Job.objects.values().get())


def test_a_message_of_a_rolled_back_transaction_is_never_sent() -> None:
    with pytest.raises(RuntimeError), transaction.atomic():
        mail.send("bob@acme.example", "Hello", "Hi")
        raise RuntimeError
    assert jobs.run_waiting() == 0
    assert not OutgoingMail.objects.exists()


def test_a_job_that_runs_twice_sends_once() -> None:
    row = mail.send("bob@acme.example", "Hello", "Hi")
    jobs.run_waiting()
    assert mail.deliver(row.target_id) is False
    assert len(outbox.outbox) == 1


def test_a_server_that_is_away_is_tried_again_and_both_tries_carry_one_id(monkeypatch: pytest.MonkeyPatch) -> None:
    tries: list[str] = []
    deliver = EmailBackend.send_messages

    def away(self: EmailBackend, messages: Any) -> Any:
        tries.append(messages[0].extra_headers["Message-ID"])
        if len(tries) == 1:
            raise smtplib.SMTPServerDisconnected("Connection unexpectedly closed")
        return deliver(self, messages)

    monkeypatch.setattr(EmailBackend, "send_messages", away)
    row = mail.send("bob@acme.example", "Hello", "Hi")
    jobs.run_waiting()
    row.refresh_from_db()
    assert (row.state, row.attempts) == ("waiting", 1)
    assert OutgoingMail.objects.exists()
    jobs.run_waiting(due_only=False)
    assert len(outbox.outbox) == 1 and len(set(tries)) == 1
    assert not OutgoingMail.objects.exists()


def test_while_the_instance_key_is_changed_what_was_sealed_before_can_be_sent(settings: Any) -> None:
    mail.send("bob@acme.example", "Hello", "Hi")
    settings.INSTANCE_KEYS_PREVIOUS = [settings.INSTANCE_KEY]
    settings.INSTANCE_KEY = bytes(range(1, 33))
    jobs.run_waiting()
    assert len(outbox.outbox) == 1


@pytest.mark.parametrize(
    "to", ["", "bob", "bob@acme.example\nBcc: eve@evil.example", "a\0@b.example", "x" * 400 + "@b.example"]
)
def test_what_is_no_address_is_refused(to: str) -> None:
    with pytest.raises(InvalidParam, match="address"):
        mail.send(to, "Hello", "Hi")
    assert not Job.objects.exists()
