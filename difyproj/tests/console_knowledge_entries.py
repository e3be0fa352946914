"""How the sweeps call the Console API's routes of knowledge."""

from __future__ import annotations

from .console_entries import OWN, Table, own
from .sweeping import Entry

DATASETS = "/datasets"
ONE = "/datasets/{dataset_id}"
DOCUMENT = f"{ONE}/documents/{{document_id}}"
SEGMENT = f"{DOCUMENT}/segments/{{segment_id}}"
API = "/datasets/external-knowledge-api/{api_id}"
THIS_API = {"api_id": "{external_api_id}"}
ADDRESS = {"name": "More", "settings": {"endpoint": "https://other.example", "api_key": "sk-other-0123456789"}}
SOURCE = {"info_list": {"data_source_type": "upload_file", "file_info_list": {"file_ids": ["{upload_id}"]}}}
ASKED = {"query": "refunds", "retrieval_model": {"search_method": "full_text_search", "top_k": 2}}
FOUND_BY = {"segment_id": "{segment_id}"}
# Others of the stranger's workspace come second.
TAKEN = frozenset({409})
NAMED = {"document_id": "{document_id}"}

KNOWLEDGE: Table = {
    ("get", DATASETS): own(),
    ("post", DATASETS): own({"name": "Another"}, status=201, allowed=OWN | TAKEN),
    ("post", "/datasets/external"): Entry(
        {"name": "Far", "external_knowledge_api_id": "{external_api_id}", "external_knowledge_id": "k1"}, status=201
    ),
    ("get", "/datasets/external-knowledge-api"): own(),
    ("post", "/datasets/external-knowledge-api"): own(ADDRESS, status=201),
    ("get", API): Entry(ids=THIS_API),
    ("patch", API): Entry(ADDRESS, ids=THIS_API),
    ("get", f"{API}/use-check"): Entry(ids=THIS_API),
    ("get", "/datasets/process-rule"): Entry(query=NAMED),
    ("get", "/datasets/retrieval-setting"): own(),
    ("get", "/datasets/retrieval-setting/{vector_type}"): own(),
    ("get", "/datasets/metadata/built-in"): own(),
    ("post", "/datasets/indexing-estimate"): Entry({**SOURCE, "process_rule": {"mode": "automatic"}}),
    ("post", "/datasets/init"): Entry({"data_source": SOURCE, "indexing_technique": "economy"}, status=201),
    ("get", ONE): Entry(),
    ("patch", ONE): Entry({"description": "Changed"}),
    ("get", f"{ONE}/use-check"): Entry(),
    ("post", f"{ONE}/api-keys/{{status}}"): Entry(ids={"status": "enable"}),
    ("get", f"{ONE}/related-apps"): Entry(),
    ("get", f"{ONE}/permission-part-users"): Entry(),
    ("get", f"{ONE}/queries"): Entry(),
    ("get", f"{ONE}/error-docs"): Entry(),
    ("get", f"{ONE}/indexing-status"): Entry(),
    ("get", f"{ONE}/metadata"): Entry(),
    ("post", f"{ONE}/metadata"): Entry({"name": "year", "type": "number"}, status=201),
    ("patch", f"{ONE}/metadata/{{metadata_id}}"): Entry({"name": "writer"}),
    ("post", f"{ONE}/metadata/built-in/{{action}}"): Entry(ids={"action": "enable"}, status=204),
    ("post", f"{ONE}/hit-testing"): Entry(ASKED),
    ("post", f"{ONE}/external-hit-testing"): Entry(ASKED),
    ("post", f"{ONE}/retry"): Entry({"document_ids": ["{failed_document_id}"]}, status=204),
    ("get", f"{ONE}/documents"): Entry(),
    ("post", f"{ONE}/documents"): Entry({"data_source": SOURCE}),
    ("post", f"{ONE}/documents/download-zip"): Entry({"document_ids": ["{document_id}"]}),
    ("post", f"{ONE}/documents/metadata"): Entry(
        {"operation_data": [{"document_id": "{document_id}", "metadata_list": [{"id": "{metadata_id}", "value": "Ann"}]}]},
        status=204,
    ),
    ("patch", f"{ONE}/documents/status/{{action}}/batch"): Entry(query=NAMED, ids={"action": "enable"}),
    ("get", f"{ONE}/batch/{{batch}}/indexing-status"): Entry(),
    ("get", f"{ONE}/batch/{{batch}}/indexing-estimate"): Entry(),
    ("get", DOCUMENT): Entry(),
    ("get", f"{DOCUMENT}/download"): Entry(),
    ("get", f"{DOCUMENT}/indexing-estimate"): Entry(),
    ("get", f"{DOCUMENT}/indexing-status"): Entry(),
    ("put", f"{DOCUMENT}/metadata"): Entry({"doc_type": "book", "doc_metadata": {"title": "Terms"}}),
    ("patch", f"{DOCUMENT}/processing/pause"): Entry(status=400),
    ("patch", f"{DOCUMENT}/processing/resume"): Entry(status=400),
    ("patch", f"{DOCUMENT}/processing/{{action}}"): Entry(ids={"action": "pause"}, status=400),
    ("post", f"{DOCUMENT}/rename"): Entry({"name": "renamed.md"}),
    ("get", f"{DOCUMENT}/segments"): Entry(),
    ("post", f"{DOCUMENT}/segment"): Entry({"content": "One more."}),
    ("patch", f"{DOCUMENT}/segment/{{action}}"): Entry(query=FOUND_BY, ids={"action": "enable"}),
    ("patch", SEGMENT): Entry({"content": "Changed."}),
    ("get", f"{SEGMENT}/child_chunks"): Entry(),
    ("post", f"{SEGMENT}/child_chunks"): Entry({"content": "A part."}),
    ("patch", f"{SEGMENT}/child_chunks/{{child_chunk_id}}"): Entry({"content": "Another part."}),
    ("patch", f"{SEGMENT}/child_chunks"): Entry({"chunks": [{"content": "All of it."}]}),
}

KNOWLEDGE_LOSSES: Table = {
    ("delete", f"{SEGMENT}/child_chunks/{{child_chunk_id}}"): Entry(status=404),
    ("delete", f"{DOCUMENT}/segments"): Entry(query=FOUND_BY, status=204),
    ("delete", SEGMENT): Entry(status=404),
    ("delete", f"{ONE}/metadata/{{metadata_id}}"): Entry(status=204),
    ("delete", DOCUMENT): Entry(status=204),
    ("delete", f"{ONE}/documents"): Entry(query={"document_id": "{failed_document_id}"}, status=204),
    ("delete", ONE): Entry(status=204),
    ("delete", API): Entry(ids=THIS_API, status=409),
}
