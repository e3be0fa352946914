"""The Service API of datasets: a workspace's token is the credential, and its owner is who acts."""

from __future__ import annotations

from typing import Any, ClassVar

from rest_framework.request import Request
from rest_framework.serializers import ListField, Serializer

from accounts.services import members, tenants
from datasets.models import Dataset
from datasets.services import access
from datasets.services.refusals import DatasetApiDisabled
from difyproj.kernel.principal import Principal, Tier

from . import throttling
from .authentication import DatasetTokenAuthentication
from .base import TokenViewSet
from .reading import read


class DatasetViewSet(TokenViewSet):
    """``counted`` names the methods that count as requests to the workspace's knowledge, of which its plan allows so many."""

    authentication_classes = (DatasetTokenAuthentication,)
    counted: ClassVar[frozenset[str]] = frozenset({"POST", "PUT", "PATCH", "DELETE"})

    @property
    def owner(self) -> Principal:
        """For whom services work: the owner's account."""
        return tenants.principal(members.owner(self.token.tenant_id), tier=Tier.SERVICE)

    def dataset(self, dataset_id: str) -> Dataset:
        """Raises DatasetNotFound, and DatasetApiDisabled for one that answers no keys."""
        found = access.get(self.owner, dataset_id)
        if not found.enable_api:
            raise DatasetApiDisabled
        return found

    def query(self, serializer: type[Serializer[Any]]) -> dict[str, Any]:
        """What may be said several times comes whole."""
        given: dict[str, Any] = self.request.query_params.dict()
        lists = [name for name, field in serializer().fields.items() if isinstance(field, ListField) and name in given]
        return read(serializer, given | {name: self.request.query_params.getlist(name) for name in lists})

    def admit(self, request: Request) -> None:
        super().admit(request)
        if request.method in self.counted:
            throttling.check_knowledge(self.token.tenant)
