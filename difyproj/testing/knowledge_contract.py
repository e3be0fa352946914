"""Every operation of datasets, called on a served instance with a workspace's key, to be judged by an OpenAPI document."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import aiohttp
from asgiref.sync import sync_to_async

from apps.models.token import TokenKind
from apps.services import tokens
from difyproj.infra import jobs
from difyproj.kernel import jsonio

from .cast import Person
from .contract import UNKNOWN, Exchange
from .served import Answer, Served

TEXT = "Invoices are paid within thirty days.\n\nRefunds take a week.\n\nParcels leave on Mondays."
PARAGRAPHS = {
    "mode": "custom",
    "rules": {
        "pre_processing_rules": [{"id": "remove_extra_spaces", "enabled": True}],
        "segmentation": {"separator": "\n\n", "max_tokens": 100},
    },
}
CHILDREN = {
    "mode": "hierarchical",
    "rules": {
        "pre_processing_rules": [],
        "segmentation": {"separator": "\n\n", "max_tokens": 500},
        "parent_mode": "paragraph",
        "subchunk_segmentation": {"separator": ". ", "max_tokens": 50},
    },
}
SEARCH = {"search_method": "hybrid_search", "reranking_enable": False, "top_k": 2, "score_threshold_enabled": False}
DATASET = "/datasets/{dataset_id}"
DOCUMENT = f"{DATASET}/documents/{{document_id}}"
SEGMENT = f"{DOCUMENT}/segments/{{segment_id}}"
CHILD = f"{SEGMENT}/child_chunks/{{child_chunk_id}}"


def dataset_key(person: Person) -> str:
    """A key of the person's workspace. In a thread of the database."""
    return tokens.create(tenant=person.tenant, kind=TokenKind.DATASET)[1]


async def work() -> None:
    """What waits for a worker is done."""
    await sync_to_async(jobs.run_waiting)("datasets.index", "datasets.remove", "datasets.reindex", due_only=False)


def form(name: str = "notes.md", content: bytes = TEXT.encode(), kind: str = "text/markdown", **data: Any) -> aiohttp.FormData:
    """A file, and ``data`` beside it."""
    made = aiohttp.FormData({"data": jsonio.dumps_text(data)} if data else {})
    made.add_field("file", content, filename=name, content_type=kind)
    return made


@dataclass(slots=True)
class Library:
    """Calls an instance with a dataset key and keeps what came."""

    house: Served
    token: str
    exchanges: list[Exchange] = field(default_factory=list)

    @classmethod
    async def of(cls, house: Served, person: Person | None = None) -> Library:
        return cls(house, await sync_to_async(dataset_key)(person or house.cast.alice))

    async def call(self, method: str, path: str, status: int = 200, **options: Any) -> Answer:
        """``path`` is a template; ``ids`` fills it. Raises AssertionError when another status comes."""
        filled = path.format(**options.pop("ids", {}))
        headers = {"Authorization": f"Bearer {self.token}", **options.pop("headers", {})}
        answer = await self.house.call(method, f"/v1{filled}", headers=headers, **options)
        assert answer.status == status, (method, filled, answer)
        self.exchanges.append(Exchange("datasets", method, path, answer))
        return answer

    async def make(self, name: str = "Manuals", **fields: Any) -> dict[str, str]:
        """A dataset; gives the name of its id for paths."""
        body = {"name": name, "indexing_technique": "high_quality", **fields}
        return {"dataset_id": (await self.call("POST", "/datasets", json=body)).json()["id"]}

    async def add(self, ids: dict[str, str], text: str = TEXT, **fields: Any) -> dict[str, str]:
        """An indexed document of the dataset."""
        body = {"name": "Notes", "text": text, "process_rule": PARAGRAPHS, **fields}
        made = (await self.call("POST", f"{DATASET}/document/create-by-text", ids=ids, json=body)).json()
        await work()
        return {**ids, "document_id": made["document"]["id"], "batch": made["batch"]}

    async def run(self) -> list[Exchange]:
        """Everything."""
        ids = await self.datasets()
        ids = await self.documents(ids)
        await self.segments(ids)
        await self.child_chunks()
        await self.retrieval(ids)
        await self.metadata(ids)
        await self.tags(ids)
        await self.pipeline(ids)
        await self.models()
        await self.ends(ids)
        return self.exchanges

    async def datasets(self) -> dict[str, str]:
        ids = await self.make(
            description="What we know.",
            retrieval_model=SEARCH,
            summary_index_setting={"enable": False, "model_name": "", "model_provider_name": "", "summary_prompt": ""},
        )
        await self.call("POST", "/datasets", 409, json={"name": "Manuals"})
        unknown = {"name": "x", "indexing_technique": "high_quality", "embedding_model": "x", "embedding_model_provider": "y"}
        await self.call("POST", "/datasets", 400, json=unknown)
        await self.call("GET", "/datasets", params={"keyword": "man", "include_all": "true"})
        await self.call("GET", DATASET, ids=ids)
        await self.call("GET", DATASET, 404, ids={"dataset_id": UNKNOWN})
        await self.call("PATCH", DATASET, ids=ids, json={"name": "Handbooks", "permission": "all_team_members"})
        return ids

    async def documents(self, ids: dict[str, str]) -> dict[str, str]:
        ids = await self.add(ids)
        progress = f"{DATASET}/documents/{{batch}}/indexing-status"
        assert (await self.call("GET", progress, ids=ids)).json()["data"][0]["indexing_status"] == "completed"
        await self.call("GET", progress, 404, ids={**ids, "batch": "x"})
        await self.call("POST", f"{DATASET}/document/create_by_text", ids=ids, json={"name": "Notes", "text": "Short."})
        for path in ("create-by-file", "create_by_file"):
            file = form(indexing_technique="high_quality", process_rule={"mode": "automatic"})
            made = (await self.call("POST", f"{DATASET}/document/{path}", ids=ids, data=file)).json()
        ids["file_id"] = made["document"]["id"]
        await work()
        await self.call("POST", f"{DATASET}/document/create-by-file", 400, ids=ids, data=aiohttp.FormData({"data": "{}"}))
        await self.call("GET", f"{DATASET}/documents", ids=ids, params={"keyword": "no", "status": "available"})
        for wanted in ("all", "only", "without"):
            await self.call("GET", DOCUMENT, ids=ids, params={"metadata": wanted})
        await self.call("GET", DOCUMENT, 400, ids=ids, params={"metadata": "some"})
        await self.call("GET", f"{DOCUMENT}/download", ids=ids)
        zipped = await self.call("POST", f"{DATASET}/documents/download-zip", ids=ids, json=self._both(ids))
        assert zipped.body.startswith(b"PK")
        both, status = self._both(ids), f"{DATASET}/documents/status/{{action}}"
        for action in ("disable", "enable", "archive", "un_archive"):
            await self.call("PATCH", status, ids={**ids, "action": action}, json=both)
        await self.call("PATCH", status, 400, ids={**ids, "action": "x"}, json=both)
        await work()
        await self.updates(ids)
        return ids

    def _both(self, ids: dict[str, str]) -> dict[str, list[str]]:
        return {"document_ids": [ids["document_id"], ids["file_id"]]}

    async def updates(self, ids: dict[str, str]) -> None:
        text = {"name": "Notes", "text": TEXT.replace("week", "month"), "process_rule": PARAGRAPHS}
        for path in ("update-by-text", "update_by_text"):
            await self.call("POST", f"{DOCUMENT}/{path}", ids=ids, json=text)
            await self.call("POST", f"{DOCUMENT}/{path}", 400, ids=ids, json=text)
            await work()
        of_file = {**ids, "document_id": ids["file_id"]}
        for method, path in (("POST", "/update-by-file"), ("POST", "/update_by_file"), ("PATCH", "")):
            await self.call(method, f"{DOCUMENT}{path}", ids=of_file, data=form("other.md"))
            await work()

    async def segments(self, ids: dict[str, str]) -> None:
        new = [{"content": "Offices close at six.", "keywords": ["office"]}]
        made = (await self.call("POST", f"{DOCUMENT}/segments", ids=ids, json={"segments": new})).json()["data"]
        await self.call("POST", f"{DOCUMENT}/segments", 400, ids=ids, json={"segments": [{"content": ""}]})
        mine = {**ids, "segment_id": made[0]["id"]}
        await self.call("GET", f"{DOCUMENT}/segments", ids=ids, params={"keyword": "six", "status": "completed"})
        await self.call("GET", SEGMENT, ids=mine)
        change = {"segment": {"content": "Offices close at seven.", "keywords": ["office"], "enabled": True}}
        await self.call("POST", SEGMENT, ids=mine, json=change)
        await self.call("DELETE", SEGMENT, 204, ids=mine)
        await self.call("GET", SEGMENT, 404, ids=mine)

    async def child_chunks(self) -> None:
        ids = await self.add(await self.make("Parents"), process_rule=CHILDREN, doc_form="hierarchical_model")
        listed = (await self.call("GET", f"{DOCUMENT}/segments", ids=ids)).json()["data"]
        ids["segment_id"] = listed[0]["id"]
        made = await self.call("POST", f"{SEGMENT}/child_chunks", ids=ids, json={"content": "Thirty days."})
        ids["child_chunk_id"] = made.json()["data"]["id"]
        await self.call("GET", f"{SEGMENT}/child_chunks", ids=ids, params={"keyword": "thirty"})
        await self.call("PATCH", CHILD, ids=ids, json={"content": "Thirty-one days."})
        again = {"segment": {"content": "Bills are due. Nobody waits.", "regenerate_child_chunks": True}}
        await self.call("POST", SEGMENT, ids=ids, json=again)
        await self.call("DELETE", CHILD, 404, ids=ids)
        (first, *_) = (await self.call("GET", f"{SEGMENT}/child_chunks", ids=ids)).json()["data"]
        await self.call("DELETE", CHILD, 204, ids={**ids, "child_chunk_id": first["id"]})

    async def retrieval(self, ids: dict[str, str]) -> None:
        asked = {"query": "When do parcels leave?", "retrieval_model": SEARCH}
        for path in ("retrieve", "hit-testing"):
            found = (await self.call("POST", f"{DATASET}/{path}", ids=ids, json=asked)).json()["records"]
            assert found[0]["segment"]["content"] == "Parcels leave on Mondays."
        external = {"knowledge_id": ids["dataset_id"], "query": "refunds", "retrieval_setting": {"top_k": 1}}
        await self.call("POST", "/retrieval", json=external)
        await self.call("POST", f"{DATASET}/retrieve", 400, ids=ids, json={"query": "x" * 251})

    async def metadata(self, ids: dict[str, str]) -> None:
        base = f"{DATASET}/metadata"
        made = (await self.call("POST", base, 201, ids=ids, json={"type": "number", "name": "year"})).json()
        await self.call("POST", base, 400, ids=ids, json={"type": "string", "name": "year"})
        ids = {**ids, "metadata_id": made["id"]}
        await self.call("PATCH", f"{base}/{{metadata_id}}", ids=ids, json={"name": "since"})
        value = {"id": made["id"], "name": "since", "value": 1999}
        written = {"operation_data": [{"document_id": ids["document_id"], "metadata_list": [value]}]}
        await self.call("POST", f"{DATASET}/documents/metadata", ids=ids, json=written)
        await self.call("GET", f"{base}/built-in", ids=ids)
        for action in ("enable", "disable", "enable"):
            await self.call("POST", f"{base}/built-in/{{action}}", ids={**ids, "action": action})
        await self.call("GET", base, ids=ids)
        await self.call("GET", DOCUMENT, ids=ids)
        await self.call("DELETE", f"{base}/{{metadata_id}}", 204, ids=ids)

    async def tags(self, ids: dict[str, str]) -> None:
        made = (await self.call("POST", "/datasets/tags", json={"name": "Finance"})).json()
        await self.call("POST", "/datasets/tags", 400, json={"name": "Finance"})
        await self.call("PATCH", "/datasets/tags", json={"tag_id": made["id"], "name": "Money"})
        bound = {"tag_ids": [made["id"]], "target_id": ids["dataset_id"]}
        await self.call("POST", "/datasets/tags/binding", 204, json=bound)
        await self.call("GET", "/datasets/tags")
        await self.call("GET", f"{DATASET}/tags", ids=ids)
        await self.call("GET", "/datasets", params={"tag_ids": made["id"]})
        await self.call("POST", "/datasets/tags/unbinding", 204, json={"tag_id": made["id"], "target_id": ids["dataset_id"]})
        await self.call("DELETE", "/datasets/tags", 204, json={"tag_id": made["id"]})
        await self.call("DELETE", "/datasets/tags", 404, json={"tag_id": made["id"]})

    async def pipeline(self, ids: dict[str, str]) -> None:
        kept = (await self.call("POST", "/datasets/pipeline/file-upload", 201, data=form("plan.md"))).json()
        await self.call("POST", "/datasets/pipeline/file-upload", 415, data=form("plan.exe", b"MZ", "application/x-dosexec"))
        await self.call("GET", f"{DATASET}/pipeline/datasource-plugins", ids=ids)
        node = {"inputs": {}, "datasource_type": "local_file", "is_published": True}
        path = f"{DATASET}/pipeline/datasource/nodes/{{node_id}}/run"
        await self.call("POST", path, 404, ids={**ids, "node_id": "1"}, json=node)
        run = {**node, "datasource_info_list": [{"reference": kept["id"], "name": "Plan"}], "start_node_id": "1"}
        await self.call("POST", f"{DATASET}/pipeline/run", ids=ids, json={**run, "response_mode": "blocking"})
        await work()

    async def models(self) -> None:
        for kind in ("text-embedding", "rerank", "llm"):
            await self.call("GET", "/workspaces/current/models/model-types/{model_type}", ids={"model_type": kind})

    async def ends(self, ids: dict[str, str]) -> None:
        await self.call("DELETE", DOCUMENT, 204, ids=ids)
        await self.call("DELETE", DOCUMENT, 404, ids=ids)
        await self.call("DELETE", DATASET, 204, ids=ids)
        await self.call("DELETE", DATASET, 404, ids=ids)
