"""Images: sets with a content digest, the gate for files, loaders, registry, hub, worlds."""

from hvae_core.common.arrays import Shape
from hvae_core.common.places import ASSETS, cache_data_root, default_data_root
from hvae_core.data.controls import CONTROLS
from hvae_core.data.image_set import ImageSet, describe_shape
from hvae_core.data.load import load_source, one_image
from hvae_core.data.readers.folder import load_folder
from hvae_core.data.readers.hub import download
from hvae_core.data.readers.image_file import open_image
from hvae_core.data.readers.npz import load_npz
from hvae_core.data.readers.parquet import load_parquet
from hvae_core.data.readers.zip_file import load_zip
from hvae_core.data.registry import RegisteredSet, registered_sets
from hvae_core.data.worlds import Role, SetSpec, World, custom_set, worlds

__all__ = [
    "ASSETS",
    "CONTROLS",
    "ImageSet",
    "RegisteredSet",
    "Role",
    "SetSpec",
    "Shape",
    "World",
    "cache_data_root",
    "custom_set",
    "default_data_root",
    "describe_shape",
    "download",
    "load_folder",
    "load_npz",
    "load_parquet",
    "load_source",
    "load_zip",
    "one_image",
    "open_image",
    "registered_sets",
    "worlds",
]
