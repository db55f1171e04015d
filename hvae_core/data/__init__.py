"""Images: sets with a content digest, the gate for files, loaders, registry, hub, worlds."""

from hvae_core.data.image_set import ImageSet, describe_shape
from hvae_core.data.load import load_source, one_image
from hvae_core.data.readers.image_file import open_image
from hvae_core.data.registry import registered_sets
from hvae_core.data.worlds import Role, SetSpec, World, custom_set, worlds

__all__ = [
    "ImageSet",
    "Role",
    "SetSpec",
    "World",
    "custom_set",
    "describe_shape",
    "load_source",
    "one_image",
    "open_image",
    "registered_sets",
    "worlds",
]
