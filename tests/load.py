"""Twenty visitors at once on a cold server: pages lost, the server's memory, how fast pages answer.

    python -m tests.load                    # 20 sessions for four minutes
    python -m tests.load --seconds 60 --sessions 8 --public

Each visitor speaks Streamlit's own language over a websocket: opens the app, goes from page to page
with other choices in the address, looks at each for a moment, and reloads now and then. A page is
lost where it shows an exception or a part that could not be drawn, breaks off, or takes a minute.
The exit status is 1 if any was. What a server holds after one visitor has seen every page is the
measure of its memory: libraries and the models that are shown, which all visitors share.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.cookiejar import CookieJar
from pathlib import Path
from urllib.parse import urlencode, urlsplit
from urllib.request import HTTPCookieProcessor, build_opener

import numpy as np
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.util import calc_hash
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.server import serve

PAGES: dict[str, tuple[dict[str, str], ...]] = {
    "": ({}, {"world": "FashionMNIST"}, {"world": "CIFAR10"}),
    "reconstructions": ({}, {"r_k": "2"}, {"seed": "3"}),
    "collapse": ({}, {"b_glyphs": "glyphs-hvae3-freebits"}),
    "two": ({}, {"b_glyphs": "glyphs-hvae3-freebits"}),
    "generate": ({}, {"seed": "5"}),
    "compression": ({},),
    "latents": ({}, {"l_layer": "z2"}),
    "ood": ({}, {"world": "FashionMNIST"}),
    "image": ({}, {"seed": "2"}),
}
LOST_AFTER = 60.0
SETTLED = 15.0
"""Seconds after which a server has given back what it can."""
RELOADS = 0.1
"""The share of pages before which a visitor reloads: a new session of the same browser."""
MIB = 2**20


@dataclass
class Seen:
    """What all visitors met: seconds of each page that came, and what was lost."""

    seconds: list[float] = field(default_factory=list)
    first: list[float] = field(default_factory=list)
    """Those of each visitor's first page, on a cold server."""
    lost: list[str] = field(default_factory=list)


class Visitor:
    """A browser with its cookie, from page to page until the time is over."""

    def __init__(self, address: str, number: int, seen: Seen) -> None:
        self._address, self._seen = address, seen
        self._draw = random.Random(number)

    async def stay(self, until: float) -> None:
        """Look at pages until a time of ``time.monotonic``."""
        cookies = await asyncio.to_thread(_cookies, self._address)
        went = 0
        while time.monotonic() < until:
            try:
                async with self._line(cookies) as line:
                    while time.monotonic() < until:
                        page = self._draw.choice([*PAGES])
                        took = await self.look(line, page, self._draw.choice(PAGES[page]))
                        if took is not None and not went:
                            self._seen.first.append(took)
                        went += 1
                        await asyncio.sleep(self._draw.uniform(2.0, 8.0))
                        if self._draw.random() < RELOADS:
                            break
            except (ConnectionClosed, OSError, TimeoutError) as error:
                self._seen.lost.append(f"the connection: {error!r}")
                await asyncio.sleep(1.0)

    async def session(self) -> connect:
        """A session of its own, whose cookies the server has just given."""
        return self._line(await asyncio.to_thread(_cookies, self._address))

    def _line(self, cookies: str) -> connect:
        to = urlsplit(self._address)
        return connect(
            f"ws://{to.netloc}/_stcore/stream",
            subprotocols=["streamlit"],  # type: ignore[list-item]
            origin=self._address,  # type: ignore[arg-type]
            additional_headers={"Cookie": cookies},
            max_size=None,
            open_timeout=LOST_AFTER,
            ping_timeout=None,
        )

    async def look(self, line: ClientConnection, page: str, query: dict[str, str]) -> float | None:
        """Open a page: the seconds that it took, None where it is lost."""
        ask = BackMsg()
        ask.rerun_script.page_script_hash = calc_hash(page)
        ask.rerun_script.query_string = urlencode(query)
        begun = time.monotonic()
        await line.send(ask.SerializeToString())
        what = f"/{page}?{urlencode(query)}"
        try:
            async with asyncio.timeout(LOST_AFTER):
                problems = [one async for one in _problems(line)]
        except TimeoutError:
            problems = [f"took more than {LOST_AFTER:.0f} s"]
        if problems:
            self._seen.lost.append(f"{what}: {problems[0]}")
            return None
        took = time.monotonic() - begun
        self._seen.seconds.append(took)
        return took


async def _problems(line: ClientConnection):  # type: ignore[no-untyped-def]
    """What goes wrong on a page, until its script has run."""
    while True:
        message = ForwardMsg()
        message.ParseFromString(await line.recv(decode=False))
        kind = message.WhichOneof("type")
        if kind == "page_not_found":
            yield "page not found"
        if kind == "delta" and message.delta.WhichOneof("type") == "new_element":
            element = message.delta.new_element
            if element.WhichOneof("type") == "exception":
                yield f"exception {element.exception.type}: {element.exception.message[:200]}"
            elif element.WhichOneof("type") == "alert" and "could not be" in element.alert.body:
                yield element.alert.body
        if kind == "script_finished":
            if message.script_finished == ForwardMsg.FINISHED_WITH_COMPILE_ERROR:
                yield "the script could not be compiled"
            if message.script_finished != ForwardMsg.FINISHED_EARLY_FOR_RERUN:
                return


def _cookies(address: str) -> str:
    """Open the page as a browser does, and keep the cookies that come with it."""
    jar = CookieJar()
    build_opener(HTTPCookieProcessor(jar)).open(address, timeout=LOST_AFTER).read()
    return "; ".join(f"{one.name}={one.value}" for one in jar)


def resident(pid: int) -> int:
    """Bytes of memory that a process has."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def listener(port: int) -> int:
    """The process that listens on a port of this machine."""
    wanted = f"{port:04X}"
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    inodes = {
        words[9] for words in lines if words[3] == "0A" and words[1].rpartition(":")[2] == wanted
    }
    for process in Path("/proc").glob("[0-9]*"):
        for number in _open_files(process):
            if number.removeprefix("socket:[").rstrip("]") in inodes:
                return int(process.name)
    raise SystemExit("The server is not running.")


def _open_files(process: Path) -> Iterator[str]:
    try:
        for link in (process / "fd").iterdir():
            yield os.readlink(link)
    except OSError:
        return


async def walk(address: str) -> None:
    """One visitor opens every page once."""
    alone = Visitor(address, 0, Seen())
    async with await alone.session() as line:
        for page, queries in PAGES.items():
            for query in queries:
                await alone.look(line, page, query)


async def visit(address: str, sessions: int, seconds: float) -> tuple[Seen, dict[str, int]]:
    """All visitors at once, then silence: what they met, and the server's memory on the way."""
    pid, seen = listener(urlsplit(address).port or 80), Seen()
    memory = {"before the first": resident(pid), "at the peak": 0}
    end = time.monotonic() + seconds
    crowd = asyncio.gather(*(Visitor(address, i, seen).stay(end) for i in range(sessions)))
    while not crowd.done():
        memory["at the peak"] = max(memory["at the peak"], resident(pid))
        await asyncio.sleep(0.5)
    await crowd
    memory["when all had left"] = resident(pid)
    return seen, memory


def main() -> int:
    """Start a cold server, send the visitors, print what they met."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--sessions", type=int, default=20)
    options.add_argument("--seconds", type=float, default=240.0)
    options.add_argument("--rest", type=float, default=150.0, help="seconds to wait at the end")
    options.add_argument("--public", action="store_true")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as cache:
        more = {"STRATA_PUBLIC": "1"} if chosen.public else {}
        with serve(STRATA_CACHE=cache, STRATA_DATA="", **more) as address:  # type: ignore[arg-type]
            asyncio.run(walk(address))
            time.sleep(SETTLED)
            alone = resident(listener(urlsplit(address).port or 80))
        with serve(STRATA_CACHE=cache, STRATA_DATA="", **more) as address:  # type: ignore[arg-type]
            seen, memory = asyncio.run(visit(address, chosen.sessions, chosen.seconds))
            time.sleep(chosen.rest)  # Streamlit forgets a session two minutes after it has ended
            pid = listener(urlsplit(address).port or 80)
            memory[f"{chosen.rest:.0f} s later"] = resident(pid)
    print(f"{len(seen.seconds)} pages came, {len(seen.lost)} were lost")
    for problem in seen.lost[:20]:
        print("  lost:", problem)
    for name, times in (("pages", seen.seconds), ("first pages", seen.first)):
        if times:
            middle, slow, worst = np.percentile(times, [50, 95, 100])
            print(f"{name}: median {middle:.2f} s, p95 {slow:.2f} s, slowest {worst:.2f} s")
    print(f"a server's memory when one visitor saw every page: {alone / MIB:.0f} MiB")
    for name, size in memory.items():
        print(f"this server's memory {name}: {size / MIB:.0f} MiB, {size / alone:.2f} of that")
    return 1 if seen.lost else 0


if __name__ == "__main__":
    sys.exit(main())
