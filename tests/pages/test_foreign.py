"""Another project's checkpoint in the app."""

from __future__ import annotations

import json
from pathlib import Path

from tests.checkpoint.foreign import saved
from tests.checkpoint.test_vdvae_import import TINY, log, weights
from tests.pages.conftest import Start, alive
from tests.pages.test_sidebar import CHECKPOINT, labelled


def test_another_projects_checkpoint_is_converted(start: Start, tmp_path: Path) -> None:
    """Dropped alone it says what is missing; with hyper-parameters, or by its path, it opens."""
    data, more = saved(weights(TINY)), json.dumps(TINY)
    app = start()
    labelled(app.file_uploader, CHECKPOINT).set_value(("m-ema.th", data, ""))
    app = app.run()
    assert any("without their hyper-parameters" in error.value for error in app.error)
    app = alive(app.text_input("checkpoint_given").set_value(more).run())
    assert any("VDVAE, cifar10" in done.value for done in app.success)
    (tmp_path / "latest-model-ema.th").write_bytes(data)
    (tmp_path / "latest-log.jsonl").write_bytes(log(TINY))
    app = alive(start(state={"checkpoint_path": str(tmp_path)}))
    assert any("VDVAE, cifar10" in done.value for done in app.success)
