"""What the measures of a model depend on beside checkpoint and images."""

from __future__ import annotations

from dataclasses import dataclass

from hvae_core.common.errors import ConfigError


@dataclass(frozen=True)
class LowerSettings:
    """``samples`` draws of L_<l, from ``seed``."""

    samples: int = 10
    seed: int = 0

    def __post_init__(self) -> None:
        if self.samples < 1:
            raise ConfigError(f"Bounds need at least one sample, not {self.samples}.")


@dataclass(frozen=True)
class RegretSettings:
    """How q is refitted to one image (Xiao et al. 2020).

    Adam with ``learning_rate`` and ``epsilon``, at most ``steps`` steps of one draw each. Every
    ``check`` steps L is measured with ``samples`` draws, the same each time; an image stops as soon
    as ``patience`` checks in a row have not gained ``gain`` nats on its best.
    """

    steps: int = 100
    check: int = 10
    patience: int = 1
    gain: float = 0.1
    learning_rate: float = 3e-4
    epsilon: float = 1e-8
    samples: int = 5
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.steps, self.check, self.patience, self.samples) < 1:
            raise ConfigError("Regret needs at least one step, check, patience and sample.")


@dataclass(frozen=True)
class GradientSettings:
    """``samples`` draws of the bounds whose gradient is taken, from ``seed``."""

    samples: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        if self.samples < 1:
            raise ConfigError(f"Gradients need at least one sample, not {self.samples}.")


@dataclass(frozen=True)
class DrawSettings:
    """``samples`` draws of all layers from q(z | x), from ``seed``."""

    samples: int = 5
    seed: int = 0

    def __post_init__(self) -> None:
        if self.samples < 1:
            raise ConfigError(f"Latents need at least one draw, not {self.samples}.")
