"""Images and their scores in a store of S3's kind: read, written, summarised, judged."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from hvae_core.common.errors import DataError
from hvae_core.common.far import Folder
from hvae_core.data.stream import Source, Stream
from hvae_core.detection.many.columns import job_of
from hvae_core.detection.many.flagging import flag, written_rows
from hvae_core.detection.many.layout import parts_there, read_part
from hvae_core.detection.many.reference import of_folder
from hvae_core.detection.many.summarise import is_whole, summarised
from tests.data.test_stream import SHAPE, parquet, pictures, tars
from tests.detection.many import scored_folder

server = pytest.importorskip("moto.server", reason="moto, which stands in for S3, is not here")
pytest.importorskip("s3fs", reason="the packages of [cluster] are not here")


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """The address of an empty bucket of a server in this process."""
    running = server.ThreadedMotoServer(port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        patch.setenv("AWS_ACCESS_KEY_ID", "test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
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


def test_images_are_read_from_there(bucket: str, tmp_path: Path) -> None:
    store = Folder.of(f"{bucket}/a")
    for make in (pictures, parquet, tars):
        path = make(tmp_path)
        for place in [*path.rglob("*.*")]:
            store.fs.pipe_file(store.path(str(place.relative_to(tmp_path))), place.read_bytes())
        near, far = (Stream(Source(text, SHAPE)) for text in (str(path), f"{bucket}/a/{path.name}"))
        assert (len(near), near.notes) == (len(far), far.notes)
        read, expected = far.read(3, 9), near.read(3, 9)
        np.testing.assert_array_equal(read.images.images, expected.images.images)
        assert (read.files, read.errors) == (expected.files, expected.errors)
        assert read.labels.tolist() == expected.labels.tolist()
    # Another file of the same name and size, as a worker may find it later.
    shard = path / "shard-000001.tar"
    store.write("tars/shard-000001.tar", shard.read_bytes()[:-1] + b"1")
    assert Stream(Source(f"{bucket}/a/tars", SHAPE)).contents != far.contents
    with pytest.raises(DataError, match="There is no s3 bucket no-such-bucket; check its name"):
        Stream(Source("s3://no-such-bucket/run", SHAPE))
    with pytest.raises(DataError, match="There is no file or folder s3://strata/b; check"):
        Stream(Source(f"{bucket}/b", SHAPE))
