"""The exception tree: every error that a user can cause is one of these.

    HVAEError               what is wrong, and what to do, in one or two sentences
    ├── ConfigError         a model or training configuration outside its bounds
    ├── ModelError          a network of the user's own that cannot be run as a hierarchy
    ├── CheckpointError     a weight file that the gate refuses
    ├── DataError           images that cannot be read or do not fit
    │   ├── ImageFileError  one image file that cannot be opened
    │   └── MissingImages   a set whose images are not on this machine
    ├── ScoreError          a score that these bounds cannot give
    └── JobError            a background job that ended without a result

Foreign exceptions are wrapped at the border where they appear, so a page or the command line
catches ``HVAEError`` and nothing else.
"""

from __future__ import annotations

from hvae_core.common.plain import plain

_MOST = 1000  # characters


class HVAEError(Exception):
    """A problem stated for the person who can mend it; ``str(error)`` is shown as it is.

    Names that strangers chose stand in it: they are made plain, and what is too long is cut.
    """

    def __str__(self) -> str:
        return plain(super().__str__(), _MOST)


class ConfigError(HVAEError):
    """A configuration that is malformed or outside its bounds."""


class ModelError(HVAEError):
    """A network of the user's own that cannot be run as a hierarchy of latents."""


class CheckpointError(HVAEError):
    """A weight file that the gate refuses."""


class DataError(HVAEError):
    """Images that cannot be read, or that do not fit the model."""


class ImageFileError(DataError):
    """One image file that cannot be opened safely."""


class MissingImages(DataError):
    """A set whose images are not on this machine; the message says how to get them."""


class ScoreError(HVAEError):
    """A score that cannot be computed from these bounds."""


class JobError(HVAEError):
    """A background job that ended without a result."""
