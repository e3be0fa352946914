"""Azure OpenAI: the OpenAI wire behind deployments (a model's name is its deployment's) or behind the newer /openai/v1 base."""

from __future__ import annotations

from urllib.parse import quote

from ..base import CredentialField, ModelType
from ..wires import openai_media
from ..wires.exchange import Endpoint
from ..wires.openai_body import Dialect
from ..wires.openai_provider import OpenAIWireProvider, based

API_VERSION = "2024-10-21"


class AzureOpenAIProvider(OpenAIWireProvider):
    name = "azure_openai"
    label = "Azure OpenAI Service"
    model_types = frozenset({ModelType.LLM, ModelType.TEXT_EMBEDDING, ModelType.SPEECH2TEXT, ModelType.TTS})
    credential_fields = (
        CredentialField("openai_api_base", "API Endpoint URL", "text-input", placeholder="https://example.openai.azure.com"),
        CredentialField("openai_api_key", "API Key"),
        CredentialField("openai_api_version", "API Version", "text-input", required=False, default=API_VERSION),
        CredentialField("base_model_name", "Base Model", "text-input", required=False),
    )
    accepts_custom_models = True
    key_field = "openai_api_key"
    url_field = "openai_api_base"
    dialect = Dialect(user=True)

    def endpoint(self) -> Endpoint:
        key = self.credential.get("openai_api_key", "")
        base = based(self.credential.get("openai_api_base", ""), self.label, versioned=False)
        template = base + "/{path}"
        if not base.endswith("/v1"):
            version = quote(self.credential.get("openai_api_version") or API_VERSION, safe="")
            template = f"{base.removesuffix('/openai')}/openai/deployments/{{model}}/{{path}}?api-version={version}"
        return Endpoint(self.http, self.label, template, {"api-key": key}, (key,))

    async def validate(self) -> None:
        """Lists the resource's models: the list stands beside the deployments, not under one."""
        endpoint = self.endpoint()
        template = endpoint.template.replace("/deployments/{model}", "")
        listing = Endpoint(self.http, self.label, template, endpoint.headers, endpoint.secrets)
        await openai_media.check(listing, "models")
