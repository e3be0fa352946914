"""http-request: one request to another server, through the guarded egress."""

from __future__ import annotations

from difyproj.kernel.errors import InvalidParam
from workflows.engine.node import Done, Node, NodeContext, NodeStream

from . import reply
from .assembly import assemble
from .data import HttpRequestData


class HTTPResponseCodeError(InvalidParam):
    """The server answered with an error, and the graph says what follows that. Clients see the name of this class."""


class HttpRequestNode(Node[HttpRequestData]):
    schema = HttpRequestData
    retries = True

    async def run(self, ctx: NodeContext[HttpRequestData]) -> NodeStream:
        """A status is a failure only where another try or a strategy is stated; else it is for the graph to judge."""
        request = await assemble(ctx)
        answer = await ctx.ports.http.send(request.call)
        if ctx.has_policy and not 200 <= answer.status < 300:
            raise HTTPResponseCodeError(f"Request failed with status code {answer.status}")
        made = await reply.outputs(answer, request.call, ctx.ports.storage)
        yield Done(outputs=made, process_data={"request": request.trace})
