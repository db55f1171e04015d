"""A folder of scored images in a store of S3's kind: written, summarised, judged, listed anew."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from hvae_core.common.errors import DataError
from hvae_core.common.far import Folder
from hvae_core.detection.many.columns import job_of
from hvae_core.detection.many.flagging import flag, written_rows
from hvae_core.detection.many.layout import parts_there, read_part
from hvae_core.detection.many.reference import of_folder
from hvae_core.detection.many.summarise import is_whole, summarised
from tests.detection.many import scored_folder

server = pytest.importorskip("moto.server", reason="moto, which stands in for S3, is not here")
pytest.importorskip("s3fs", reason="the packages of [cluster] are not here")


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of an empty bucket of a server in this process."""
    running = server.ThreadedMotoServer(port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    try:
        Folder.of("s3://strata").fs.mkdir("strata")
        yield "s3://strata"
    finally:
        running.stop()


def test_a_folder_far_away_is_as_one_at_hand(bucket: str, tmp_path: Path) -> None:
    far, values = scored_folder(30, part=12, failed={3: "cut off"}, shift=1.0, out=f"{bucket}/run")
    near, _ = scored_folder(30, part=12, failed={3: "cut off"}, shift=1.0)
    assert parts_there(far) == [0, 1, 2] and job_of(far) == job_of(near)
    np.testing.assert_array_equal(read_part(far, 1).scores["elbo"], values["elbo"][12:24])
    found, expected = summarised(far), summarised(near)
    assert is_whole(far, found) and (found.rows, found.failed) == (30, 1)
    for key, one in expected.scores.items():
        np.testing.assert_array_equal(found.scores[key].sketch.values, one.sketch.values)
    before = far.state("summary.json")
    far.write("summary.json", b"{}")
    assert before and far.state("summary.json") != before and not far.state("nothing")
    reference = of_folder(job_of(far), scored_folder(40, part=40, seed=1)[0])
    path = tmp_path / "flagged.csv"
    with written_rows(str(path), ["elbo"]) as take:
        count = flag(far, ["elbo"], reference, alpha=0.2, take=take)
    assert len(path.read_text("utf-8").splitlines()) == 1 + count.flagged > 1
    with pytest.raises(DataError, match="cannot be used"):
        Folder.of("s3://no-such-bucket/run").write("job.json", b"{}")
