"""Change the keys that protect stored credentials; safe to interrupt and to run again."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.models import Tenant
from accounts.services import data_keys, second_factor
from difyproj.kernel.secrets import Unreadable


class Command(BaseCommand):
    help = (
        "Wrap every tenant's data key, and seal every second factor, with INSTANCE_KEY. Put the key used until now into "
        "INSTANCE_KEYS_PREVIOUS, the new one into INSTANCE_KEY, restart, run this, then take INSTANCE_KEYS_PREVIOUS away."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--data-keys", action="store_true", help="also make new data keys and seal all credentials again")

    def handle(self, *args: Any, **options: Any) -> None:
        wrapped, unreadable = 0, []
        tenants = list(Tenant.objects.values_list("pk", flat=True))
        for tenant_id in tenants:
            try:
                wrapped += data_keys.rewrap(tenant_id)
                if options["data_keys"]:
                    data_keys.renew(tenant_id)
            except Unreadable:
                unreadable.append(str(tenant_id))
        self.stdout.write(f"{len(tenants)} tenants, {wrapped} data keys wrapped again.")
        if options["data_keys"]:
            self.stdout.write(f"{len(tenants) - len(unreadable)} data keys renewed.")
        sealed, locked_out = second_factor.reseal()
        self.stdout.write(f"{sealed} second factors sealed again.")
        if unreadable or locked_out:
            raise CommandError(f"No known instance key opens what belongs to: {', '.join([*unreadable, *locked_out])}.")
