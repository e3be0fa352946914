"""App files that lie elsewhere. Every request goes through the egress client."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from apps.dsl.errors import DslError
from apps.dsl.reader import LARGEST_BYTES
from difyproj.infra.egress import egress
from difyproj.kernel.errors import InvalidParam
from difyproj.kernel.http import EgressTooLarge, Timeout

CONTENT, URL = "yaml-content", "yaml-url"
TIMES: Final = Timeout(connect=10, read=10, total=30)
REDIRECTS: Final = 3
# The page on which GitHub shows a file, and where the file itself lies.
_SHOWN_FILE: Final = re.compile(r"https://github\.com/([^/?#]+)/([^/?#]+)/blob/([^?#]+\.ya?ml)(?:[?#].*)?")


@dataclass(frozen=True, slots=True)
class Source:
    """Where a file comes from: ``mode`` says which of the two counts."""

    mode: str
    yaml_content: str = ""
    yaml_url: str = ""

    async def read(self) -> str | bytes:
        """The text of the file. Raises DslError."""
        if not (self.yaml_url if self.mode == URL else self.yaml_content):
            name = self.mode.replace("-", "_")
            raise DslError(f"{name} is required when import_mode is {self.mode}", params=name)
        return await fetch(self.yaml_url) if self.mode == URL else self.yaml_content


def raw_address(url: str) -> str:
    """Where the file itself lies, for an address of the page that shows it; any other address as it is."""
    shown = _SHOWN_FILE.fullmatch(url.strip())
    return f"https://raw.githubusercontent.com/{shown[1]}/{shown[2]}/{shown[3]}" if shown else url.strip()


async def fetch(url: str) -> bytes:
    """The file at ``url``. Raises DslError for what is too large, empty, not there or not to be reached from here."""
    try:
        async with egress().open("GET", raw_address(url), timeout=TIMES, max_redirects=REDIRECTS) as answer:
            if answer.status != 200:
                raise DslError(f"Error fetching YAML from URL: the server answered with {answer.status}", params="yaml_url")
            content = await answer.read(LARGEST_BYTES)
    except EgressTooLarge:
        raise DslError("File size exceeds the limit of 10MB", params="yaml_url") from None
    except DslError:
        raise
    except InvalidParam as error:
        raise DslError(f"Error fetching YAML from URL: {error.message}", params="yaml_url") from None
    if not content.strip():
        raise DslError("Empty content from url", params="yaml_url")
    return content
