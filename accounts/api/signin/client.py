"""What allauth calls a requests session, on the one egress client: the rules of outbound calls hold for providers, too."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Self

from allauth.socialaccount.providers.oauth2.client import OAuth2Error

from difyproj.infra import loop
from difyproj.infra.egress import sign_in_egress
from difyproj.kernel import jsonio
from difyproj.kernel.errors import DomainError
from difyproj.kernel.http import Timeout

TIMEOUT = Timeout(connect=5.0, read=10.0, total=15.0)
MOST_BYTES = 1024 * 1024
MOST_REDIRECTS = 3


class ProviderFailed(OAuth2Error):
    """Said in our own words, which hold nothing that the provider sent and may stand in the log."""


class ProviderAnswer:
    """An answer, read to its end."""

    def __init__(self, status: int, headers: Mapping[str, str], content: bytes) -> None:
        self.status_code, self.headers, self.content = status, headers, content

    @property
    def ok(self) -> bool:
        return self.status_code < HTTPStatus.BAD_REQUEST

    @property
    def text(self) -> str:
        return self.content.decode("utf-8", "replace")

    def raise_for_status(self) -> None:
        if not self.ok:
            raise ProviderFailed(f"The provider answered {self.status_code}.")

    def json(self) -> Any:
        try:
            return jsonio.loads(self.content)
        except ValueError as error:
            raise ProviderFailed("The provider's answer is no JSON.") from error


class ProviderSession:
    """Callable from a page's thread, while the calls themselves run on the process's loop. Raises ProviderFailed."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        pass

    def get(self, url: str, **sent: Any) -> ProviderAnswer:
        return self.request("GET", url, **sent)

    def post(self, url: str, **sent: Any) -> ProviderAnswer:
        return self.request("POST", url, **sent)

    def request(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, str] | None = None,
        data: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        auth: Any = None,
    ) -> ProviderAnswer:
        sent = {"Accept": "application/json", **(headers or {})}
        if auth is not None:
            pair = f"{auth.username}:{auth.password}".encode()
            sent["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
        call = _exchange(method, url, params=params, data=data, headers=sent)
        try:
            return asyncio.run_coroutine_threadsafe(call, loop.current()).result()
        except DomainError as error:
            raise ProviderFailed(error.message) from error


async def _exchange(method: str, url: str, **sent: Any) -> ProviderAnswer:
    redirects = MOST_REDIRECTS if method == "GET" else 0
    async with sign_in_egress().open(method, url, timeout=TIMEOUT, max_redirects=redirects, **sent) as response:
        headers = {name.lower(): value for name, value in response.headers.items()}
        headers.setdefault("content-type", "")
        return ProviderAnswer(response.status, headers, await response.read(MOST_BYTES))
