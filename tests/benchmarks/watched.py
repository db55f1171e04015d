"""A tab of a browser that says how long its reader waits, and where that time goes."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from typing import Any

import psutil
from playwright.sync_api import Page

WATCH = """
(() => {
  const log = [];
  window.waits = {log};
  const Real = window.WebSocket;
  window.WebSocket = class extends Real {
    constructor(...parts) {
      super(...parts);
      this.addEventListener("message", (event) => {
        const bytes = event.data.byteLength ?? event.data.size ?? event.data.length;
        log.push({way: "in", at: performance.now(), bytes});
      });
    }
    send(data) {
      log.push({way: "out", at: performance.now(), bytes: data.byteLength ?? data.length});
      super.send(data);
    }
  };
  window.waits.arm = (look, every) => {
    const state = new Function("return " + look);
    const old = state();
    const armed = (window.waits.armed = {begun: null, done: null});
    log.length = 0;
    window.waits.stop?.abort();
    const stop = (window.waits.stop = new AbortController());
    const begin = () => { armed.begun = performance.now(); };  // a list opens first: the last click
    for (const kind of ["keydown", "pointerdown", "change"]) {
      window.addEventListener(kind, begin, {capture: true, signal: stop.signal});
    }
    const check = () => {
      const now = state();
      if (armed.begun !== null && now && now !== old) {
        stop.abort();
        requestAnimationFrame(() => { armed.done = performance.now(); });
      } else again(check);
    };
    const again = every ? (what) => setTimeout(what, every) : requestAnimationFrame;
    again(check);
  };
})();
"""
PICTURE = """(() => { const inside = (root) => root.querySelector("img[alt^='Images and their']")
    ?? [...root.querySelectorAll("*")].map((e) => e.shadowRoot && inside(e.shadowRoot))
      .find(Boolean);
  const i = inside(document);
  return i && i.complete && i.naturalWidth ? i.src : ""; })()"""
"""The strip of Reconstructions, which may be in a component's own tree."""
SAMPLES = """(() => { const i = document.querySelector(".st-key-scroll_prior-A img");
  return i && i.complete && i.naturalWidth ? i.src : ""; })()"""
CURVES = """[...document.querySelectorAll(".st-key-o_density0 .scatterlayer path")]
  .map((path) => path.getAttribute("d")).join()"""
LINE = """[...document.querySelectorAll(".st-key-o_density0 .shapelayer path")]
  .map((path) => path.getAttribute("d")).join()"""
VERDICT = """(() => { const title = document.querySelector(".st-key-i_verdict h1"),
  i = document.querySelector(".st-key-scroll_i_portrait img");
  return title && i && i.complete && i.naturalWidth ? title.textContent + i.src : ""; })()"""
"""The verdict on an image and the image itself."""
PAGES = {
    "reconstructions": "Reconstructions", "generate": "Generate", "collapse": "Collapse",
    "latents": "Latent space", "ood": "OOD detection", "image": "One image",
    "compression": "Compression and attacks", "": "Start",
}  # fmt: skip
AIMS = {
    "first picture": 6000, "k": 100, "temperature": 100, "another draw": 100,
    "samples by temperature": 100, "samples drawn again": 100, "score": 250, "threshold": 250,
    "page": 700, "upload to verdict": 1000,
    "five people at once": 2000, "five people without browsers": 2000,
}  # fmt: skip
"""Milliseconds, of the median; those of five people are of the 95th percentile."""


def drawn(path: str) -> str:
    """Whether the page of this path is drawn: its title, and a picture, chart or table."""
    return f"""(() => {{ const app = document.querySelector("[data-testid=stApp]"),
  main = document.querySelector("[data-testid=stMain]"), title = main.querySelector("h1");
  const there = main.querySelector(".js-plotly-plot .main-svg, img, canvas");
  return app.dataset.testScriptState === "notRunning" && title && there
    && location.pathname === "/{path}" ? "drawn" : "before"; }})()"""


def idle() -> float:
    """The processor's seconds of no server."""
    return 0.0


def processor_of(pid: int) -> float:
    """Seconds that the threads of a process have spent on a processor, all together."""
    spent = psutil.Process(pid).cpu_times()
    return float(spent.user + spent.system)


class Watched:
    """A tab whose waits are measured; ``spent`` gives the processor's seconds of its server.

    It looks at every frame, or ``every`` so many milliseconds: then a wait is longer by so much at
    most, and looking keeps nobody waiting.
    """

    def __init__(self, page: Page, spent: Callable[[], float] = idle, *, every: int = 0) -> None:
        self.page, self._spent, self._before, self._every = page, spent, 0.0, every
        page.set_default_timeout(90_000)
        page.add_init_script(WATCH)

    def wait(self, look: str, act: Callable[[], None], *, pause: int = 700) -> dict[str, float]:
        """What one act takes until ``look`` gives another value, in milliseconds and bytes."""
        self.begin(look, act)
        return self.end(pause=pause)

    def begin(self, look: str, act: Callable[[], None]) -> None:
        """Do one act, and let the browser see when ``look`` gives another value."""
        self.page.evaluate(f"look => window.waits.arm(look, {self._every})", look)
        self._before = self._spent()
        act()

    def end(self, *, pause: int = 0) -> dict[str, float]:
        """What the act that was begun has taken."""
        self.page.wait_for_function("() => window.waits.armed.done !== null")
        self.page.wait_for_timeout(pause)
        armed, log = self.page.evaluate("() => [window.waits.armed, window.waits.log]")
        begun, done = armed["begun"], armed["done"]
        sent = next((e["at"] for e in log if e["way"] == "out" and begun <= e["at"] <= done), begun)
        came = max((e["at"] for e in log if e["way"] == "in" and sent <= e["at"] <= done),
                   default=sent)  # fmt: skip
        return {
            "wait": done - begun,
            "asking": sent - begun,
            "server": came - sent,
            "browser": done - came,
            "processor": 1000 * (self._spent() - self._before),
            "bytes": sum(e["bytes"] for e in log if e["way"] == "in"),
        }


def summary(name: str, waits: list[dict[str, float]]) -> dict[str, Any]:
    """One row: median and 95th percentile of the wait, medians of its parts, most bytes."""
    total = sorted(one["wait"] for one in waits)
    row: dict[str, Any] = {
        "what": name,
        "aim": AIMS["page" if name.startswith("page") else name],
        "times": len(waits),
        "median": statistics.median(total),
        "p95": total[min(len(total) - 1, int(0.95 * len(total)))],
        **{part: statistics.median(one[part] for one in waits)
           for part in ("asking", "server", "browser", "processor")},
        "bytes": max(one["bytes"] for one in waits),
    }  # fmt: skip
    print(
        f"{name}: median {row['median']:.0f} ms, p95 {row['p95']:.0f} ms (asking "
        f"{row['asking']:.0f}, server {row['server']:.0f}, browser {row['browser']:.0f}; "
        f"of the server's processor {row['processor']:.0f}), "
        f"{row['bytes'] / 1000:,.0f} kB",
        flush=True,
    )
    return row
