"""What can go wrong with an outbound call, in our words: never a header, a query or a body."""

from __future__ import annotations

import socket
import ssl

import aiohttp

from .errors import InvalidParam


class EgressRefused(InvalidParam):
    """The address policy or the client does not allow this request. Trying again does not help."""

    default_message = "The URL may not be requested from this server."
    retryable = False


class EgressFailed(InvalidParam):
    """The exchange broke: name not found, refused, cut off, not HTTP. ``retryable`` says if another try may help."""

    default_message = "The remote server could not be reached."

    def __init__(self, message: str | None = None, *, retryable: bool = True) -> None:
        super().__init__(message)
        self.retryable = retryable


class EgressTimeout(EgressFailed):
    """The remote server took longer than the call's Timeout."""

    default_message = "The remote server did not answer in time."


class EgressTooLarge(EgressFailed):
    """The body is larger than the reader's limit."""

    default_message = "The remote server's answer is too large."


def translated(error: BaseException, host: str) -> EgressFailed | EgressRefused:
    """The library's error in our words: its own text may hold the URL's query, which may hold a key."""
    match error:
        case aiohttp.InvalidURL():
            return EgressRefused(f"{host} is not a host this server may connect to.")
        case TimeoutError():
            return EgressTimeout(f"{host} did not answer in time.")
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientConnectorSSLError() | ssl.SSLError():
            return EgressFailed(f"No secure connection to {host} could be made.", retryable=False)
        case aiohttp.ClientConnectorDNSError(os_error=socket.gaierror(errno=code)):
            return EgressFailed(f"The host name {host} could not be resolved.", retryable=code == socket.EAI_AGAIN)
        case aiohttp.ClientConnectorError():
            return EgressFailed(f"{host} could not be reached.")
        case aiohttp.ClientPayloadError() | aiohttp.ServerDisconnectedError() | OSError():
            return EgressFailed(f"{host} closed the connection before the end of its answer.")
        case aiohttp.ClientError():
            return EgressFailed(f"{host} did not answer with valid HTTP.", retryable=False)
        case _:
            return EgressRefused(f"The request to {host} has a header or body that cannot be sent.")
