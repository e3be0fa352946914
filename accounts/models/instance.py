"""Instance: what this installation knows about itself. One row; its key makes a second one impossible."""

from __future__ import annotations

from django.db import models


class Instance(models.Model):
    """``setup_at`` is set once, by whoever makes the first owner; until then the Console API answers ``not_setup``."""

    ONLY = 1

    id = models.PositiveSmallIntegerField(primary_key=True, default=ONLY, editable=False)
    setup_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="instance_only_one")]

    def __str__(self) -> str:
        return "set up" if self.setup_at else "new"
