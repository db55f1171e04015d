"""Make the world Cutouts: its validation and test sets, and three sets of simple shapes.

    python assets/worlds/cutouts/make.py

It takes about ten seconds and writes validation, test, dots, discs and frames.parquet beside
itself. Training images are drawn when they are asked for, by the same code (data/cutouts.py). The
same versions of numpy, pillow and scikit-learn give the same pixels.
"""

from __future__ import annotations

import io
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from hvae_core.data.cutouts import cutouts, simple
from hvae_core.data.image_set import ImageSet, Pixels

HERE = Path(__file__).parent


def png(pixels: Pixels) -> bytes:
    """The picture as the smallest PNG that Pillow writes."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def write(images: ImageSet) -> Path:
    """One Parquet file in the Hugging Face image convention."""
    features = {
        "image": {"_type": "Image"},
        "label": {"names": list(images.class_names), "_type": "ClassLabel"},
    }
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    rows = [{"bytes": png(image[0]), "path": None} for image in images.images]
    table = pa.table({"image": pa.array(rows, kind), "label": pa.array(images.labels, pa.int64())})
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    path = HERE / f"{images.name}.parquet"
    pq.write_table(table.replace_schema_metadata(metadata), path, compression="zstd",
                   compression_level=19)  # fmt: skip
    return path


def main() -> None:
    """Draw every set that ships, and say how large its file is."""
    for images in [
        cutouts("validation"),
        cutouts("test"),
        *map(simple, ("dots", "discs", "frames")),
    ]:
        path = write(images)
        print(f"{path.name:20} {len(images):6,} images, {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
