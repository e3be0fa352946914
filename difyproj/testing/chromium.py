"""A real browser for tests of pages: Chromium, told what to do over its own protocol."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any

import aiohttp

from difyproj.kernel import jsonio

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--remote-debugging-port=0",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions",
)  # fmt: skip
PATIENCE_SECONDS = 30


class Tab:
    """What a person does with a page and sees of it."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket, self.numbers = socket, count(1)

    async def order(self, method: str, **params: Any) -> dict[str, Any]:
        """One command of the protocol; what happens meanwhile is not heard."""
        number = next(self.numbers)
        await self.socket.send_json({"id": number, "method": method, "params": params})
        async with asyncio.timeout(PATIENCE_SECONDS):
            while (heard := await self.socket.receive_json()).get("id") != number:
                pass
        assert "error" not in heard, heard["error"]
        return dict(heard["result"])

    async def read(self, expression: str) -> Any:
        told = await self.order("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in told, told["exceptionDetails"]
        return told["result"].get("value")

    async def open(self, address: str) -> None:
        await self.order("Page.navigate", url=address)
        await self.until(f"document.readyState == 'complete' && location.href == {jsonio.dumps_text(address)}")

    async def write(self, selector: str, text: str) -> None:
        """Instead of what the control holds."""
        await self.read(f"(control => {{ control.focus(); control.select(); }})(document.querySelector('{selector}'))")
        await self.order("Input.insertText", text=text)

    async def press(self, selector: str) -> None:
        """A click where the element is, by the mouse."""
        box = await self.read(
            f"(one => {{ one.scrollIntoView({{block: 'center'}}); const box = one.getBoundingClientRect();"
            f" return [box.x + box.width / 2, box.y + box.height / 2]; }})(document.querySelector('{selector}'))"
        )
        for kind in ("mousePressed", "mouseReleased"):
            await self.order("Input.dispatchMouseEvent", type=kind, x=box[0], y=box[1], button="left", clickCount=1)

    async def attach(self, selector: str, *paths: Path) -> None:
        """Files for a control that takes them."""
        found = await self.order("Runtime.evaluate", expression=f"document.querySelector('{selector}')")
        names = [str(path) for path in paths]
        await self.order("DOM.setFileInputFiles", files=names, objectId=found["result"]["objectId"])

    async def until(self, expression: str) -> None:
        """A page that is on its way has nothing to read; then it is asked again."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                with suppress(AssertionError):
                    if await self.read(expression):
                        return
                await asyncio.sleep(0.05)


@asynccontextmanager
async def tab(home: Path, *, scripts: bool = False) -> AsyncIterator[Tab]:
    """Without ``scripts`` those of the pages are switched off."""
    process = await asyncio.create_subprocess_exec(
        str(CHROMIUM), *FLAGS, f"--user-data-dir={home}", "about:blank",
        env={**os.environ, "HOME": str(home)}, start_new_session=True,
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        async with aiohttp.ClientSession() as client, client.ws_connect(await _address(client, home), max_msg_size=0) as socket:
            opened = Tab(socket)
            await opened.order("Emulation.setScriptExecutionDisabled", value=not scripts)
            yield opened
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


async def _address(client: aiohttp.ClientSession, home: Path) -> str:
    """Where the tab listens, as soon as the browser does."""
    place = home / "DevToolsActivePort"
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not (place.exists() and place.read_text().count("\n")):
            await asyncio.sleep(0.05)
        async with client.get(f"http://127.0.0.1:{place.read_text().splitlines()[0]}/json/list") as answer:
            pages = [page for page in await answer.json() if page["type"] == "page"]
    return str(pages[0]["webSocketDebuggerUrl"])
