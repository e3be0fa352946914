"""dataset: write a dataset with its documents and vectors to one file, or take such a file in."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.models import Membership, Tenant
from accounts.policies import Role
from datasets.models import Dataset
from datasets.services import bundles
from difyproj.kernel import ids
from difyproj.kernel.errors import DomainError


class Command(BaseCommand):
    help = __doc__ or ""

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
        giving = actions.add_parser("export", help="Write a dataset to a file.")
        giving.add_argument("dataset", help="The dataset's id.")
        giving.add_argument("file", help="The file to write; one that is there stays.")
        taking = actions.add_parser("import", help="Make a dataset of such a file. Take only files of people you trust.")
        taking.add_argument("file")
        taking.add_argument("--tenant", default="", help="Id or name of the workspace; not needed when there is only one.")
        taking.add_argument("--name", default="", help="What the dataset is to be called instead.")

    def handle(self, *args: Any, action: str, **options: Any) -> None:
        try:
            {"export": self.give, "import": self.take}[action](options)
        except (DomainError, OSError) as error:
            raise CommandError(str(error)) from error

    def give(self, options: dict[str, Any]) -> None:
        key = ids.parse(options["dataset"])
        dataset = Dataset.objects.filter(pk=key).first() if key else None
        if dataset is None:
            raise CommandError("There is no such dataset.")
        with Path(options["file"]).open("xb") as file:
            told = bundles.write(dataset, file)
        self.stdout.write(", ".join(f"{count} {name}" for name, count in told.items()))

    def take(self, options: dict[str, Any]) -> None:
        tenant = _tenant(options["tenant"])
        owner = Membership.objects.for_tenant(tenant).filter(role=Role.OWNER).first()
        with Path(options["file"]).open("rb") as file:
            dataset = bundles.read(file, tenant=tenant, by=owner.account_id if owner else None, name=options["name"])
        self.stdout.write(f"{dataset.pk} is being indexed")


def _tenant(name: str) -> Tenant:
    key = ids.parse(name)
    rows = Tenant.objects.filter(pk=key) if key else Tenant.objects.filter(name=name) if name else Tenant.objects.all()
    found = list(rows[:2])
    if len(found) != 1:
        raise CommandError("Name one workspace with --tenant, by its id or its name.")
    return found[0]
