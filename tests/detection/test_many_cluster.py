"""The workers of a cluster: one that is killed loses nothing, one that is slow is overtaken."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hvae_core.checkpoint import save_checkpoint
from hvae_core.cli.main import main
from hvae_core.common.errors import ConfigError, DataError, JobError
from hvae_core.config import LatentConfig, ModelCard
from hvae_core.detection.many import cluster
from hvae_core.detection.many.cluster import Cluster
from tests.detection import cluster_functions as functions
from tests.small import tiny_config, tiny_model, tiny_set

distributed = pytest.importorskip("distributed", reason="the packages of [cluster] are not here")


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Two workers, each a process."""
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50
    ) as two:
        yield two.scheduler_address


def ended(workers: Cluster, calls: list[Any]) -> list[Any]:
    while not all(call.done() for call in calls):
        workers.wait([call for call in calls if not call.done()], 0.5)
    return [call.result() for call in calls]


def test_workers_that_die_or_dawdle_lose_nothing(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workers = Cluster(address)
    try:
        assert workers.room == 2
        mark = str(tmp_path / "killed")
        calls = [workers.submit(functions.killed_once, mark, number) for number in range(5)]
        assert ended(workers, calls) == [0, 1, 4, 9, 16]
        assert Path(mark).exists()
        for call, error, words in (
            (functions.refused, DataError, "The part is not there"),
            (functions.broken, JobError, "ZeroDivisionError: of a bug"),
        ):
            with pytest.raises(error, match=words):
                ended(workers, [workers.submit(call)])
        monkeypatch.setattr(cluster, "SETTLED", 0.2)
        deadline = time.monotonic() + 20
        while workers.room < 2 and time.monotonic() < deadline:  # the killed one comes back
            time.sleep(0.1)
        slow = workers.submit(functions.slow_once, str(tmp_path / "slow"))
        assert ended(workers, [slow]) == ["quick"] and slow.copies == 2
    finally:
        workers.close(now=True)


def test_a_cluster_writes_what_one_process_writes(
    address: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """To the bit, into a folder that is then judged; paths are those of whoever gave them."""
    monkeypatch.chdir(tmp_path)
    model, pictures = tmp_path / "small.safetensors", tmp_path / "pictures.npz"
    latents = (LatentConfig(1, "conv"), LatentConfig(2, "dense"))
    network = tiny_model(tiny_config(image_shape=(1, 4, 4), latents=latents, channels=2))
    save_checkpoint(model, network, card=ModelCard("small"), history={})
    np.savez(pictures, images=tiny_set(20, (1, 4, 4)).images[:, 0])
    words = ["score", pictures.name, "--model", str(model), "--samples", "2", "--part-images", "4"]
    one, many = tmp_path / "one", tmp_path / "many"
    assert main([*words, "--out", str(one)]) == 0
    assert main([*words, "--out", "many", "--scheduler", address]) == 0
    assert parts_of(one) == parts_of(many) and len(parts_of(one)) == 5
    capsys.readouterr()
    asked = ["flag", str(many), "--reference", str(one), "--alpha", "0.5", "--json"]
    assert main(asked) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["rows"] == 20
    assert told["scores"]["elbo"]["auroc"]["value"] == pytest.approx(0.5)
    assert main([*words, "--out", str(many), "--scheduler", address, "--workers", "2"]) == 2
    assert "not both" in capsys.readouterr().err


def parts_of(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((out / "parts").iterdir())}


def test_a_run_ends_where_nobody_is_left(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    workers = Cluster(address)
    workers.wait([], 0.0)
    monkeypatch.setattr(workers._client, "nthreads", dict)
    monkeypatch.setattr(cluster, "NOBODY", -1.0)
    with pytest.raises(JobError, match="has had no worker"):
        workers.wait([], 0.0)
    workers.close(now=True)
    with pytest.raises(JobError, match="is gone; finished parts are in the folder"):
        workers.wait([], 0.0)


def test_workers_of_another_version_are_refused(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = cluster.versions()
    monkeypatch.setattr(cluster, "PACKAGES", ("torch",))
    monkeypatch.setattr(cluster, "version", lambda name: "0.1")
    assert own["torch"] != "0.1"
    with pytest.raises(ConfigError, match=r"has torch .* and this machine 0\.1"):
        Cluster(address)


def test_no_scheduler_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "_CONNECT", 0.3)
    for wrong in ("tcp://127.0.0.1:9", "nothing"):
        with pytest.raises(ConfigError, match="There is no scheduler at"):
            Cluster(wrong)
