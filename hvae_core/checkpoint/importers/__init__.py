"""One module a project whose checkpoints are converted. A new module is found here.

Each makes an ``Importer`` and registers it: how its files are recognised, and how a configuration
of a family here and its weights are made of them.
"""

from importlib import import_module
from pkgutil import iter_modules

for module in iter_modules(__path__):
    import_module(f"{__name__}.{module.name}")  # registers itself
