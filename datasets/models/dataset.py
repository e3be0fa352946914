"""Dataset: a tenant's collection of documents that apps can ask; who may see it, and what it was asked."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from accounts.models.rows import TenantRow
from difyproj.infra.tenancy import TenantQuerySet


class Provider(models.TextChoices):
    VENDOR = "vendor", "Kept here"
    EXTERNAL = "external", "Asked over an external knowledge API"


class Permission(models.TextChoices):
    ONLY_ME = "only_me", "Only who made it"
    ALL = "all_team_members", "All members"
    PARTIAL = "partial_members", "Chosen members"


class IndexingTechnique(models.TextChoices):
    HIGH_QUALITY = "high_quality", "High quality: embeddings and keywords"
    ECONOMY = "economy", "Economy: keywords only"


class DocForm(models.TextChoices):
    TEXT = "text_model", "General"
    HIERARCHICAL = "hierarchical_model", "Parent and child"
    QA = "qa_model", "Questions and answers"


class ExternalApiRows(TenantQuerySet["ExternalKnowledgeApi"]):
    """External knowledge APIs, fetched by tenant."""


class ExternalKnowledgeApi(TenantRow):
    """Another system that keeps knowledge and is asked over HTTP; its key is sealed with the tenant's key."""

    name = models.CharField(max_length=255)
    description = models.TextField(blank=True, default="")
    endpoint = models.CharField(max_length=2000)
    sealed_key = models.TextField(blank=True, default="", editable=False)
    created_by_id = models.UUIDField(null=True, blank=True)
    updated_by_id = models.UUIDField(null=True, blank=True)

    objects = ExternalApiRows.as_manager()

    class Meta:
        ordering = ["-created_at", "-id"]
        verbose_name = "external knowledge API"

    def __str__(self) -> str:
        return self.name


class DatasetRows(TenantQuerySet["Dataset"]):
    """Datasets, fetched by tenant. Who of the tenant may see which is ``datasets.services.access``."""


class Dataset(TenantRow):
    """``generation`` names the index that answers; a change of the embedding model builds ``next_generation`` beside it, and
    meanwhile ``serving`` tells how the one that answers was built (``datasets.services.reindex``).

    The counts are kept by the pipeline and by the services that change documents; they are what lists show.
    """

    name = models.CharField(max_length=40)
    description = models.CharField(max_length=400, blank=True, default="")
    provider = models.CharField(max_length=16, choices=Provider.choices, default=Provider.VENDOR)
    permission = models.CharField(max_length=32, choices=Permission.choices, default=Permission.ONLY_ME)
    data_source_type = models.CharField(max_length=32, default="", blank=True, help_text="Of its first document.")
    indexing_technique = models.CharField(max_length=16, choices=IndexingTechnique.choices, default="", blank=True)
    doc_form = models.CharField(max_length=32, choices=DocForm.choices, default="", blank=True)
    embedding_model = models.CharField(max_length=255, default="", blank=True)
    embedding_model_provider = models.CharField(max_length=255, default="", blank=True)
    retrieval_model = models.JSONField(null=True, blank=True, help_text="How it is searched when the asker does not say.")
    summary_index_setting = models.JSONField(null=True, blank=True)
    icon_info = models.JSONField(null=True, blank=True)
    built_in_field_enabled = models.BooleanField(default=False)
    enable_api = models.BooleanField(default=True, help_text="Answer dataset keys.")
    store = models.CharField(
        max_length=32, default="", blank=True, help_text="Row of datasets.stores.STORES; empty: the default."
    )
    generation = models.PositiveIntegerField(default=1)
    next_generation = models.PositiveIntegerField(null=True, blank=True)
    dimensions = models.PositiveIntegerField(default=0, help_text="Of the serving index; 0 before the first vector.")
    serving = models.JSONField(null=True, blank=True, editable=False)
    next_dimensions = models.PositiveIntegerField(default=0, editable=False)
    next_cursor = models.UUIDField(
        null=True, blank=True, editable=False, help_text="The last segment that the next index holds."
    )
    reindex_job_id = models.UUIDField(null=True, blank=True, editable=False)
    reindex_error = models.TextField(default="", blank=True, editable=False)
    embedded_tokens = models.PositiveBigIntegerField(default=0, editable=False, help_text="That a model was paid for.")
    external_api = models.ForeignKey(
        ExternalKnowledgeApi, on_delete=models.RESTRICT, null=True, blank=True, related_name="datasets"
    )
    external_knowledge_id = models.CharField(max_length=255, blank=True, default="")
    external_retrieval_model = models.JSONField(null=True, blank=True)
    created_by_id = models.UUIDField(null=True, blank=True)
    updated_by_id = models.UUIDField(null=True, blank=True)

    objects = DatasetRows.as_manager()

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [models.UniqueConstraint(fields=["tenant", "name"], name="dataset_name_once")]
        indexes = [models.Index(fields=["tenant", "-created_at"], name="dataset_list")]

    def __str__(self) -> str:
        return self.name


class DatasetMemberRows(TenantQuerySet["DatasetMember"]):
    """Chosen members, fetched by tenant."""


class DatasetMember(TenantRow):
    """With ``partial_members``: an account that may use the dataset."""

    dataset = models.ForeignKey(Dataset, on_delete=models.CASCADE, related_name="members")
    account = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")

    objects = DatasetMemberRows.as_manager()

    class Meta:
        ordering = ["created_at"]
        constraints = [models.UniqueConstraint(fields=["dataset", "account"], name="dataset_member_once")]

    def __str__(self) -> str:
        return f"{self.account_id} in {self.dataset_id}"


class MetadataType(models.TextChoices):
    STRING = "string", "Text"
    NUMBER = "number", "Number"
    TIME = "time", "Time"


class MetadataFieldRows(TenantQuerySet["MetadataField"]):
    """Metadata fields, fetched by tenant."""


class MetadataField(TenantRow):
    """A fact that documents of a dataset may carry; values stand in ``Document.doc_metadata`` under the field's name."""

    dataset = models.ForeignKey(Dataset, on_delete=models.CASCADE, related_name="metadata_fields")
    name = models.CharField(max_length=255)
    type = models.CharField(max_length=8, choices=MetadataType.choices)
    created_by_id = models.UUIDField(null=True, blank=True)

    objects = MetadataFieldRows.as_manager()

    class Meta:
        ordering = ["created_at", "id"]
        constraints = [models.UniqueConstraint(fields=["dataset", "name"], name="metadata_field_once")]

    def __str__(self) -> str:
        return self.name


class QuerySource(models.TextChoices):
    HIT_TESTING = "hit_testing", "Retrieval test"
    APP = "app", "App"
    API = "api", "Service API"


class DatasetQueryRows(TenantQuerySet["DatasetQuery"]):
    """Questions, fetched by tenant."""


class DatasetQuery(TenantRow):
    """One question to one dataset. ``trace`` tells why each passage was returned: ranks and scores of every step."""

    dataset = models.ForeignKey(Dataset, on_delete=models.CASCADE, related_name="queries", db_index=False)
    content = models.TextField()
    source = models.CharField(max_length=16, choices=QuerySource.choices)
    app_id = models.UUIDField(null=True, blank=True)
    created_by_role = models.CharField(max_length=16, default="account")
    created_by_id = models.UUIDField(null=True, blank=True)
    trace = models.JSONField(null=True, blank=True)
    elapsed_ms = models.FloatField(default=0.0)

    objects = DatasetQueryRows.as_manager()

    class Meta:
        ordering = ["-created_at", "-id"]
        verbose_name_plural = "dataset queries"
        indexes = [models.Index(fields=["dataset", "-created_at"], name="dataset_query_list")]

    def __str__(self) -> str:
        return self.content[:60]
