# Entries belong to the row of their index. Nothing was indexed before, so their table is made anew.

import uuid

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("datasets", "0002_pipeline")]

    operations = [
        migrations.DeleteModel(name="IndexEntry"),
        migrations.CreateModel(
            name="StoredIndex",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("tenant_id", models.UUIDField()),
                ("dataset_id", models.UUIDField()),
                ("generation", models.PositiveIntegerField()),
                ("size", models.PositiveIntegerField(default=0, help_text="Entries.")),
                ("stamp", models.UUIDField(default=uuid.uuid4)),
                ("removal", models.UUIDField(default=uuid.uuid4)),
            ],
            options={
                "verbose_name_plural": "stored indexes",
                "ordering": ["id"],
                "constraints": [
                    models.UniqueConstraint(fields=("dataset_id", "generation", "tenant_id"), name="stored_index_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="IndexEntry",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("node_id", models.UUIDField()),
                ("segment_id", models.UUIDField()),
                ("document_id", models.UUIDField()),
                (
                    "words",
                    models.BinaryField(
                        blank=True, help_text="datasets.rag.bm25.bag; none where only the meaning counts.", null=True
                    ),
                ),
                (
                    "vector",
                    models.BinaryField(
                        blank=True,
                        help_text="Little-endian float32 of length one; none in economy or where another store has it.",
                        null=True,
                    ),
                ),
                (
                    "index",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="entries",
                        to="datasets.storedindex",
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "index entries",
                "ordering": ["id"],
                "constraints": [models.UniqueConstraint(fields=("index", "node_id"), name="index_entry_once")],
                "indexes": [
                    models.Index(fields=["index", "document_id"], name="index_entry_document"),
                    models.Index(fields=["index", "id"], name="index_entry_order"),
                ],
            },
        ),
    ]
