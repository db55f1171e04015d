"""``python -m tests.wheel``: build the wheel, install it into an empty environment, and use it.

Some minutes and two gigabytes of disk: it is no part of the suite. Versions are those of
requirements.txt (``--versions newest`` and ``lowest`` take the ends of the metadata's ranges; the
lowest but for torch, of which there may be no small build). All of it happens in a new folder
outside the repository: four lines that score images, commands, the app on a free port, one of its
pages. What came into site-packages must be as it was when all is done.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
import time
import tomllib
import venv
from collections.abc import Sequence
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

ROOT = Path(__file__).resolve().parent.parent
MOST_BYTES = 95_000_000
"""Of the wheel."""

_SCORE = """
import hvae_core as hv
model = hv.load_checkpoint("glyphs-hvae3-elbo")
inside = hv.evaluate(model, hv.load_images("glyphs:test"))
mine = hv.evaluate(model, hv.load_images("mine"))
report = hv.report(inside, [mine], scores=["elbo", "llr_1"])
print(report)
import sys
assert "streamlit" not in sys.modules and len(mine) == 2
"""
_PICTURES = """
from pathlib import Path
from PIL import Image
Path("mine").mkdir()
for name, size in (("a", 28), ("b", 40)):
    Image.linear_gradient("L").resize((size, size)).save(f"mine/{name}.png")
"""
_PAGE = """
from streamlit.testing.v1 import AppTest
from hvae_core.common.places import HOME
page = AppTest.from_file(str(HOME / "app.py"), default_timeout=300).run()
assert not page.exception and not page.error, [str(each.value) for each in page.exception]
print(page.title[0].value if page.title else page.header[0].value)
"""

_RUN_NOTEBOOK = '''
import nbformat
import os
import signal
import time
from nbclient import NotebookClient
from urllib.request import urlopen

CELLS = ["""
import numpy as np
import hvae_core as hv
draw = np.random.default_rng(0)
inside, outside = (draw.integers(0, 256, (12, 1, 28, 28), dtype=np.uint8) for _ in range(2))
app = hv.show(hv.load_checkpoint("glyphs-hvae3-elbo").model, inside, {"noise": outside})
""", """
import os
print(app.url, os.getpid())
""", """
model = hv.load_checkpoint("glyphs-hvae3-elbo")
hv.report(hv.evaluate(model, hv.load_images(inside)), [hv.evaluate(model, hv.load_images(outside))])
""", """
hv.reconstruct(model, hv.load_images(inside))
"""]
notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
client = NotebookClient(notebook, timeout=600, kernel_name="python3")
with client.setup_kernel():
    for number, cell in enumerate(notebook.cells):
        client.execute_cell(cell, number)
    frame, printed, report, pictures = (cell.outputs for cell in notebook.cells)
    url, kernel = printed[0]["text"].split()
    assert f'src="{url}"' in frame[0]["data"]["text/html"], frame
    assert "<table>" in report[0]["data"]["text/html"]
    assert "data:image/png" in pictures[0]["data"]["text/html"]
    with urlopen(url, timeout=30) as answer:
        assert answer.status == 200
    os.kill(int(kernel), signal.SIGKILL)
    for _ in range(300):
        try:
            urlopen(url, timeout=5).close()
        except OSError:
            break
        time.sleep(0.1)
    else:
        raise SystemExit("the app outlives its kernel")
print("the notebook shows the app in a frame, and the app ended with its kernel")
'''


def main(words: Sequence[str] | None = None) -> None:
    """Build, install, use; a line on each step, and an error where one fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--versions", choices=("lock", "newest", "lowest"), default="lock")
    parser.add_argument("--environment", metavar="DIR", help="made there and kept, or used again")
    parser.add_argument("--notebook", action="store_true", help="a notebook too, by a real kernel")
    asked = parser.parse_args(words)
    with tempfile.TemporaryDirectory(prefix="strata-wheel-") as place:
        folder = Path(place)
        wheel = build(folder)
        size = wheel.stat().st_size
        assert size < MOST_BYTES, f"{wheel.name} has {size:,} bytes"
        _say(f"{wheel.name}: {size / 1e6:.1f} MB")
        environment = Path(asked.environment or folder / "environment").absolute()
        python = install(
            wheel, environment, lock=lock(folder, asked.versions), notebook=asked.notebook
        )
        use(python, folder)
        if asked.notebook:
            (folder / "notebook.py").write_text(_RUN_NOTEBOOK)
            _say(_run([str(python), str(folder / "notebook.py")], cwd=folder / "elsewhere"))
    _say("all is well")


def build(folder: Path) -> Path:
    """The wheel of this working tree."""
    _run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)], cwd=ROOT)
    (wheel,) = folder.glob("*.whl")
    return wheel


def lock(folder: Path, versions: str) -> list[str]:
    """Options by which pip takes these versions."""
    pinned = ROOT / "requirements.txt"
    if versions == "lock":
        return ["-c", str(pinned)]
    if versions == "newest":
        return []
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    lines = [line.replace(">=", "==") for line in project["dependencies"]]
    torch = [line for line in pinned.read_text("utf-8").splitlines() if line.startswith("torch==")]
    file = folder / "lowest.txt"
    file.write_text("\n".join([*torch, *(line for line in lines if "torch==" not in line)]))
    return ["-c", str(file)]


def install(wheel: Path, place: Path, *, lock: Sequence[str], notebook: bool) -> Path:
    """An environment with the wheel in it, empty before or that of an earlier trial; its Python."""
    python = place / "bin" / "python"
    new = not python.exists()
    if new:
        venv.create(place, with_pip=False)
    # The pip of here works in any environment, and Debian's Python comes without one.
    pip = [sys.executable, "-m", "pip", "--python", str(python), "--disable-pip-version-check"]
    more = [] if new else ["--force-reinstall", "--no-deps"]
    start = time.monotonic()
    _run([*pip, "install", "-q", *more, *lock, str(wheel)], cwd=place)
    if notebook:
        _run([*pip, "install", "-q", *lock, f"{wheel}[notebook]", "nbclient"], cwd=place)
    _say(f"installed in {time.monotonic() - start:.0f} s")
    return python


def use(python: Path, folder: Path) -> None:
    """What a newcomer does, from a folder that is not the repository."""
    here = folder / "elsewhere"
    here.mkdir()
    os.environ["STRATA_CACHE"] = str(folder / "cache")
    before = _files(python)
    _run([str(python), "-c", _PICTURES], cwd=here)
    _say(_run([str(python), "-c", _SCORE], cwd=here))
    strata = str(python.with_name("strata"))
    told = _run([strata, "evaluate", "glyphs-hvae3-elbo", "--out", "digits", "mine"], cwd=here)
    assert "Digits" in told and "mine" in told, told
    assert "Usage: strata" in _run([strata, "--help"], cwd=here)
    _run([strata, "study", "glyphs", "--no-train"], cwd=here)
    assert (here / "studies" / "glyphs" / "report.html").is_file()
    _say("page: " + _run([str(python), "-c", _PAGE], cwd=here).strip())
    _serve([strata, "app", "--no-browser"], here)
    assert _files(python) == before, "something was written into the installed program"


def _serve(command: list[str], here: Path) -> None:
    """Start the app as ``strata app`` does, and wait until it says that it is well."""
    start = time.monotonic()
    server = subprocess.Popen(command, cwd=here, stderr=subprocess.PIPE, text=True)
    try:
        assert server.stderr is not None
        address = next(word for word in server.stderr.readline().split() if "://" in word)
        while True:
            try:
                with urlopen(f"{address}/_stcore/health", timeout=5) as answer:
                    assert answer.status == 200
                break
            except URLError:
                assert server.poll() is None, "the app has ended"
                assert time.monotonic() - start < 120, "the app does not answer"
                time.sleep(0.5)
        with urlopen(address, timeout=30) as answer:
            assert b"<html" in answer.read()
        _say(f"the app answers on {address} after {time.monotonic() - start:.0f} s")
    finally:
        server.terminate()
        server.wait(30)


def _files(python: Path) -> str:
    """A digest of the installed program, but for what Python compiles."""
    (site,) = python.parent.parent.glob("lib/*/site-packages")
    seen = hashlib.sha256()
    for top in ("hvae_core", "strata_vae"):
        for path in sorted((site / top).rglob("*")):
            if path.is_file() and path.suffix != ".pyc":
                seen.update(f"{path} ".encode() + path.read_bytes())
    return seen.hexdigest()


def _run(command: Sequence[str], cwd: Path) -> str:
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, cwd=cwd, env=clean, text=True, capture_output=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)[:300]}\n{done.stdout}{done.stderr}")
    return done.stdout


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    main()
