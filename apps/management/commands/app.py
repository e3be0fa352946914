"""app: take apps in and out as DSL files, check such files, and tell what differs between two of them."""

from __future__ import annotations

import asyncio
import sys
from argparse import ArgumentParser
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.models import Account, Membership, Tenant
from accounts.policies import Role
from apps.dsl import reader
from apps.dsl.difference import difference, told
from apps.dsl.document import Document, parse
from apps.dsl.findings import Finding, Level
from apps.models import App
from apps.services import dsl
from difyproj.kernel import ids
from difyproj.kernel.errors import DomainError

STDIN = "-"


class Command(BaseCommand):
    help = __doc__ or ""

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
        taking = actions.add_parser("import", help="Make an app of a file, or a new draft of one that is there.")
        taking.add_argument("source", help="A file, an http(s) address, or - for the standard input.")
        taking.add_argument("--tenant", default="", help="Id or name of the workspace; not needed when there is only one.")
        taking.add_argument("--account", default="", help="E-mail of who imports; the workspace's owner if left out.")
        taking.add_argument("--name", default="", help="What the app is to be called instead.")
        taking.add_argument("--over", default="", help="Id of the workflow or chatflow whose draft the file replaces.")
        taking.add_argument("--yes", action="store_true", help="Also take a file of a newer version of the DSL.")
        giving = actions.add_parser("export", help="Write an app as YAML.")
        giving.add_argument("app", help="The app's id.")
        giving.add_argument("--output", default="", help="The file to write; the standard output if left out.")
        giving.add_argument("--include-secret", action="store_true", help="With the values of secret variables.")
        giving.add_argument("--workflow-id", default="", help="A version instead of the draft.")
        comparing = actions.add_parser("diff", help="Tell what differs; 1 if anything does.")
        comparing.add_argument("old", help="A file or the id of an app.")
        comparing.add_argument("new", help="A file or the id of an app.")
        checking = actions.add_parser("validate", help="Tell what is wrong, missing or mapped; 1 if anything is wrong.")
        checking.add_argument("files", nargs="+", help="Files, or - for the standard input.")
        checking.add_argument("--tenant", default="", help="Also tell what this workspace lacks.")

    def handle(self, *args: Any, action: str, **options: Any) -> None:
        try:
            {"import": self.take, "export": self.give, "diff": self.compare, "validate": self.validate}[action](options)
        except (DomainError, OSError) as error:
            raise CommandError(printable(str(error))) from error

    def take(self, options: dict[str, Any]) -> None:
        tenant = tenant_of(options["tenant"])
        by, looks = account_of(tenant, options["account"]).pk, dsl.Looks(name=options["name"])
        result = dsl.take(tenant=tenant, by=by, content=content_of(options["source"]), looks=looks, app_id=options["over"])
        if result.status is dsl.Status.PENDING and options["yes"]:
            result = dsl.confirm(tenant=tenant, by=by, import_id=result.id)
        if result.status is dsl.Status.PENDING:
            version = printable(result.imported_dsl_version)
            raise CommandError(f"The file is of version {version}, this server of {dsl.VERSION}: --yes takes it all the same.")
        if result.status is dsl.Status.FAILED:
            raise CommandError(printable(result.error))
        self.stdout.write(f"{result.app_id} {result.app_mode} {result.status}")

    def give(self, options: dict[str, Any]) -> None:
        text = dsl.export(app_of(options["app"]), include_secret=options["include_secret"], workflow_id=options["workflow_id"])
        if options["output"]:
            Path(options["output"]).write_text(text, encoding="utf-8", newline="\n")
        else:
            self.stdout.write(text, ending="")

    def compare(self, options: dict[str, Any]) -> None:
        changes = difference(document_of(options["old"]), document_of(options["new"]))
        for change in changes:
            self._lines(told(change))
        if changes:
            sys.exit(1)

    def validate(self, options: dict[str, Any]) -> None:
        tenant = tenant_of(options["tenant"]) if options["tenant"] else None
        wrong = sum([self._validate(file, tenant) for file in options["files"]])
        if wrong:
            sys.exit(1)

    def _validate(self, file: str, tenant: Tenant | None) -> bool:
        """Print the report of one file; whether it has an error."""
        try:
            document = document_of(file)
        except DomainError as error:
            self._lines([f"{file}: error: {error.message}"])
            return True
        findings = dsl.check(document, tenant)
        self._lines(f"{file}: {sentence(finding)}" for finding in findings)
        counts = {level: sum(finding.level is level for finding in findings) for level in Level}
        told_counts = ", ".join(f"{count} {level}" for level, count in counts.items() if count) or "nothing to say"
        self._lines([f"{file}: {document.app.mode} {document.app.name!r}, version {document.version}: {told_counts}"])
        return bool(counts[Level.ERROR])

    def _lines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.stdout.write(printable(line))


def sentence(finding: Finding) -> str:
    place = f"{finding.place} {finding.title!r}" if finding.title else finding.place
    return f"{finding.level}: {place}{f', {finding.field}' if finding.field else ''}: {finding.message}"


def printable(text: str) -> str:
    """Without what a terminal would obey: files come from anybody."""
    return "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text)


def content_of(source: str) -> str | bytes:
    if source.startswith(("http://", "https://")):
        return asyncio.run(dsl.Source(dsl.URL, yaml_url=source).read())
    if source == STDIN:
        return sys.stdin.buffer.read(reader.LARGEST_BYTES + 1)
    with Path(source).open("rb") as file:
        return file.read(reader.LARGEST_BYTES + 1)


def document_of(source: str) -> Document:
    """Of a file, or of the app with this id as an export would have it."""
    key = ids.parse(source)
    if key is not None and not Path(source).exists():
        return parse(reader.read(dsl.export(app_of(source))))
    return parse(reader.read(content_of(source)))


def app_of(app_id: str) -> App:
    key = ids.parse(app_id)
    found = App.objects.select_related("tenant").filter(pk=key).first() if key else None
    if found is None:
        raise CommandError(f"There is no app {printable(app_id)}.")
    return found


def tenant_of(name: str) -> Tenant:
    """By id or name; without either the only one."""
    rows = Tenant.objects.order_by("created_at")
    key = ids.parse(name)
    found = list(rows.filter(pk=key) if key else rows.filter(name=name) if name else rows)
    if len(found) != 1:
        raise CommandError(f"There are {len(found)} workspaces{f' named {name!r}' if name else ''}: name one with --tenant.")
    return found[0]


def account_of(tenant: Tenant, email: str) -> Account:
    rows = Membership.objects.for_tenant(tenant).select_related("account")
    found = (rows.filter(account__email__iexact=email) if email else rows.filter(role=Role.OWNER)).first()
    if found is None:
        raise CommandError(f"{email or 'An owner'} is no member of the workspace {tenant.name!r}.")
    return found.account
