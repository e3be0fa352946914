"""What the API tiers read: JSON through the kernel's fast codec, and multipart forms with their file names as they came."""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO, Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig, TooManyFieldsSent, TooManyFilesSent
from django.http.multipartparser import MultiPartParser as FormReader
from django.http.multipartparser import MultiPartParserError
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser, DataAndFiles

from difyproj.kernel import jsonio
from difyproj.kernel.errors import InvalidParam, TooManyFiles


class FastJSONParser(BaseParser):
    """JSON whatever the charset parameter says; depth is bounded by the codec, size by ``DATA_UPLOAD_MAX_MEMORY_SIZE``."""

    media_type = "application/json"

    def parse(self, stream: IO[bytes], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None) -> Any:
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        body = stream.read(limit + 1)
        if len(body) > limit:
            raise RequestDataTooBig
        try:
            return jsonio.loads(body)
        except ValueError as error:
            raise ParseError(str(error)) from error


class BeaconParser(FastJSONParser):
    """JSON that a browser's beacon calls plain text."""

    media_type = "text/plain"


class UploadParser(BaseParser):
    """Multipart forms. A file name that names a folder is refused, not shortened in silence."""

    media_type = "multipart/form-data"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Mapping[str, Any] | None = None) -> Any:
        request = (parser_context or {})["request"]
        meta = {**request.META, "CONTENT_TYPE": media_type}
        try:
            data, files = _FormReader(meta, stream, request.upload_handlers, settings.DEFAULT_CHARSET).parse()
        except MultiPartParserError as error:
            raise InvalidParam("The multipart form cannot be read.") from error
        except TooManyFilesSent as error:
            raise TooManyFiles from error
        except TooManyFieldsSent as error:
            raise InvalidParam("The multipart form has too many parts.") from error
        return DataAndFiles(data, files)


class _FormReader(FormReader):
    def sanitize_file_name(self, file_name: str) -> str | None:
        if "/" in file_name or "\\" in file_name:
            raise InvalidParam("The file name must not contain a slash or backslash.", params="file")
        return super().sanitize_file_name(file_name)
