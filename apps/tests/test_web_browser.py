"""A real browser on a page of another origin: passports, fetch streaming, websockets, and what CORS keeps from it."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from difyproj.kernel import jsonio
from difyproj.testing.served import Served
from difyproj.testing.upstream import Script

from .visits import change_site, site_of

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions",
)  # fmt: skip
PATIENCE_SECONDS = 60

PAGE = """<!doctype html><meta charset="utf-8"><script>
const given = %s;
const api = given.url + "/api";

async function enter(code, options) {
  const answer = await fetch(api + "/passport", {headers: {"X-App-Code": code}, ...options});
  return {"X-App-Code": code, "X-App-Passport": (await answer.json()).access_token};
}

function ask(passport, path, body, options) {
  const headers = {...passport, "Content-Type": "application/json"};
  return fetch(api + path, {method: "POST", headers, body: JSON.stringify(body), ...options});
}

function records(text) {
  const whole = text.split("\\n\\n").slice(0, -1);
  return whole.filter((frame) => frame.startsWith("data: ")).map((frame) => JSON.parse(frame.split("\\n")[0].slice(6)));
}

// The model says one word and then nothing, until it is stopped: the word can only be read while the answer is open.
async function streamed(passport, path, body, options) {
  const answer = await ask(passport, path, {...body, response_mode: "streaming"}, options);
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "", word = "", stopped = false;
  for (;;) {
    const {done, value} = await reader.read();
    if (done) break;
    text += value;
    const [first] = records(text);
    if (first && !stopped) {
      stopped = true;
      word = first.answer;
      await ask(passport, path + "/" + first.task_id + "/stop", {}, options);
    }
  }
  const {headers} = answer;
  return {word, last: records(text).at(-1).event, type: headers.get("Content-Type"), id: headers.get("X-Request-ID")};
}

function talked(passport, body) {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(api.replace("http", "ws") + "/ws/chat", ["bearer", passport["X-App-Passport"]]);
    let word = "";
    socket.onerror = () => reject(new Error("The socket failed."));
    socket.onopen = () => socket.send(JSON.stringify(body));
    socket.onmessage = (message) => {
      const record = JSON.parse(message.data);
      if (record.event === "message") {
        word = record.answer;
        socket.send(JSON.stringify({action: "stop", task_id: record.task_id}));
      }
      if (record.event === "message_end") resolve({word, last: record.event, protocol: socket.protocol});
    };
  });
}

const result = {};

async function all() {
  const open = await enter(given.open);
  const question = {inputs: {}, query: "Grüße?", auto_generate_name: false};
  result.stream = await streamed(open, "/chat-messages", question);
  result.socket = await talked(open, question);
  const history = await fetch(api + "/conversations", {headers: open});
  result.conversations = (await history.json()).data.length;
  const stale = await fetch(api + "/site", {headers: {...open, "X-App-Passport": "stale"}});
  result.refusal = [stale.status, (await stale.json()).code];
  const cookies = {credentials: "include"};
  const named = await enter(given.named, cookies);
  result.named = await streamed(named, "/completion-messages", {inputs: {query: "whales"}}, cookies);
  result.closed = await enter(given.closed).catch((error) => error.name);
}

function tell() {
  return fetch("/told", {method: "POST", body: JSON.stringify(result)});
}

setTimeout(() => { result.error = "This is as far as it came."; tell(); }, given.patience * 1000);
all().catch((error) => { result.error = String(error); }).then(tell);
</script>"""


class Page:
    """A page on an origin of its own, and what its script told in the end."""

    def __init__(self) -> None:
        self.html = ""
        self.origin = ""
        self.told: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()

    async def show(self, request: web.Request) -> web.Response:
        return web.Response(text=self.html, content_type="text/html")

    async def hear(self, request: web.Request) -> web.Response:
        if not self.told.done():
            self.told.set_result(jsonio.loads(await request.read()))
        return web.Response(status=204)


@asynccontextmanager
async def page() -> AsyncIterator[Page]:
    served = Page()
    application = web.Application()
    application.add_routes([web.get("/", served.show), web.post("/told", served.hear)])
    runner = web.AppRunner(application)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        served.origin = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield served
    finally:
        await runner.cleanup()


@asynccontextmanager
async def browser(address: str, home: Path) -> AsyncIterator[None]:
    process = await asyncio.create_subprocess_exec(
        str(CHROMIUM), *FLAGS, f"--user-data-dir={home}", address,
        env={**os.environ, "HOME": str(home)}, start_new_session=True,
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


@pytest.mark.skipif(not CHROMIUM.exists(), reason="There is no Chromium here; Debian's package chromium has one.")
async def test_a_page_of_another_origin_reads_answers_while_they_are_written(house: Served, tmp_path: Path) -> None:
    house.upstream.script = Script(tokens=["Grüß Gott"], hang="end")
    async with page() as shown:
        await change_site(house.completion, cors_origins=[shown.origin])
        await change_site(house.foreign, cors_origins=["https://elsewhere.example"])
        codes = {"open": house.chat, "named": house.completion, "closed": house.foreign}
        given = {
            "url": house.url,
            "patience": PATIENCE_SECONDS,
            **{name: (await site_of(key)).code for name, key in codes.items()},
        }
        shown.html = PAGE % jsonio.dumps_text(given)
        async with browser(f"{shown.origin}/", tmp_path):
            told = await asyncio.wait_for(shown.told, 2 * PATIENCE_SECONDS)
    assert "error" not in told, told
    for name in ("stream", "named"):
        stream = told[name]
        assert (stream["word"], stream["last"], stream["type"]) == ("Grüß Gott", "message_end", "text/event-stream"), name
        assert stream["id"]
    assert told["socket"] == {"word": "Grüß Gott", "last": "message_end", "protocol": "bearer"}
    assert (told["conversations"], told["refusal"]) == (2, [401, "unauthorized"])
    assert told["closed"] == "TypeError"
