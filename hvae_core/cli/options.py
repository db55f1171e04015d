"""Options that several commands share: types of one option, and frozen groups of several."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

from cyclopts import Group, Parameter

from hvae_core.evaluation import SHIPPED_LIMIT

if TYPE_CHECKING:
    from lightning_fabric import Fabric

    from hvae_core.checkpoint import Checkpoint
    from hvae_core.data import World
    from hvae_core.data.worlds import Role
    from hvae_core.evaluation.evaluation import EvalSettings
    from hvae_core.evaluation.sets import Sets

BOUNDS = Group("Bounds", sort_key=2)

KEPT: dict[Callable[..., None] | None, str] = {}
"""What is left of a command that was stopped with Ctrl-C, in a sentence for its user."""
OPENED: list[Sets] = []
"""Where the images of the running command come from, for the notes on them at its end."""
STEPPED: list[str] = []
"""Paths of the running command whose images ``--prepare`` is done to."""
PARTS = "Finished parts are in the cache; the same command continues from there."

_Command = TypeVar("_Command", bound=Callable[..., None])


def kept(sentence: str) -> Callable[[_Command], _Command]:
    """Mark a command with what is left of it where it was stopped."""

    def mark(run: _Command) -> _Command:
        KEPT[run] = sentence
        return run

    return mark


def option(text: str, metavar: str | None = None, name: str | None = None) -> Parameter:
    """One option: its help, a word for its value, and a name other than that of the argument."""
    return Parameter(name=name, help=text, metavar=metavar)


def options(text: str, metavar: str, name: str | None = None) -> Parameter:
    """An option that takes one value or several, and may be given several times."""
    return Parameter(name=name, help=text, metavar=f"{metavar}...", consume_multiple=1)


def whole(lowest: int, text: str, metavar: str = "N", **more: Any) -> Parameter:
    """A whole number that is not below ``lowest``, or several."""

    def check(_: type, value: int | tuple[int, ...] | None) -> None:
        for number in value if isinstance(value, tuple) else (value,):
            if number is not None and number < lowest:
                raise ValueError(f"must be {lowest} or more, not {number}")

    return Parameter(help=text, metavar=metavar, validator=check, **more)


CheckpointName = Annotated[
    str,
    Parameter(
        name="CHECKPOINT",
        help="a .safetensors file, or a checkpoint's name; in its place --model FILE.py:NAME, a "
        "model of your own",
    ),
]
CheckpointNames = Annotated[
    tuple[str, ...],
    Parameter(
        name="CHECKPOINT",
        help=".safetensors files, or checkpoints' names, one or several; --model FILE.py:NAME adds "
        "a model of your own",
    ),
]
Json = Annotated[bool, option("print one JSON document instead of tables", name="--json")]
Limit = Annotated[int, whole(0, "images of each set at most; 0 for all")]
WorldName = Annotated[
    str | None, option("world of the set (default: the checkpoint's own)", "NAME")
]
DataRoot = Annotated[
    str | None,
    option(
        "folder of image sets, each DIR/mnist/test.parquet, DIR/mnist/ or DIR/mnist.npz "
        "(default: STRATA_DATA, else the folder of downloads)",
        "DIR",
    ),
]


@Parameter(name="*")
@dataclass(frozen=True)
class DataOptions:
    """Where images come from."""

    data_root: DataRoot = None
    download: bool = False
    """fetch sets that are not on this machine from the Hugging Face hub (nothing is fetched
    without this)"""
    prepare: Annotated[str, Parameter(metavar="STEPS")] = ""
    """steps on images that you give by a path, before they are resized: stretch, invert, crop,
    pad, as in --prepare invert,pad"""

    def place(self, world: World, source: str, role: Role) -> tuple[World, str]:
        """The world with one more set, and that set's name."""
        from hvae_core.data.named import with_source
        from hvae_core.data.origins import Own
        from hvae_core.data.prepare import parse_steps

        steps = parse_steps(self.prepare)
        world, name = with_source(world, source, role, download=self.download, prepare=steps)
        if isinstance(world.spec(name).origin, Own):
            STEPPED.append(source)
        return world, name

    def check_steps(self) -> None:
        """Raise ``DataError`` for steps where no images are given by a path: none are ignored."""
        from hvae_core.common.errors import DataError

        if self.prepare and not STEPPED:
            raise DataError(
                "--prepare is for images that you give by a path, and none are given here; leave "
                "it out, or name a folder or a file."
            )

    def sets(self, world: World, limit: int = SHIPPED_LIMIT) -> Sets:
        """The sets of a world, of each as many images at most; 0 for all. All are placed before."""
        from hvae_core.evaluation.sets import Sets

        self.check_steps()
        sets = Sets(world, self.data_root, limit or None, download=self.download)
        OPENED.append(sets)
        return sets


@Parameter(name="*")
@dataclass(frozen=True)
class DeviceOptions:
    """Where a network is trained."""

    accelerator: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """kind of device; auto is a graphics card where there is one"""
    devices: Annotated[int, whole(1, "devices of each machine, which split the recipe's batch")] = 1
    nodes: Annotated[
        int,
        whole(
            1,
            "machines; start the same command on each, by torchrun or SLURM or with MASTER_ADDR, "
            "MASTER_PORT and NODE_RANK set",
            name="--num-nodes",
        ),
    ] = 1
    strategy: Literal["ddp", "fsdp"] = "ddp"
    """several devices each keep the whole network (ddp), or share weights and moments (fsdp)"""
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = "32-true"
    """number format while training; weights are kept in 32 bits"""

    @property
    def usual(self) -> bool:
        """Whether this is one processor in 32 bits, or left open."""
        usual = DeviceOptions(self.accelerator)
        return self == usual and self.accelerator in ("auto", "cpu")

    def fabric(self) -> Fabric:
        """The devices; raises ``ConfigError`` where they are not there."""
        from hvae_core.training.processes import make_fabric

        return make_fabric(**vars(self))


@Parameter(name="*")
@dataclass(frozen=True)
class OneSetOptions:
    """One set of images to look at under a checkpoint."""

    source: Annotated[str | None, Parameter(name="--set", metavar="SET")] = None
    """a set as in evaluate (default: the world's test set)"""
    world: WorldName = None


@Parameter(name="*", group=Group("Sets", sort_key=1))
@dataclass(frozen=True)
class SetOptions:
    """Which sets of a world, and how many images of each."""

    inside: Annotated[str | None, option("in-distribution set (default: the world's test)", "SET",
                                         name="--in")] = None  # fmt: skip
    outside: Annotated[
        tuple[str, ...],
        options(
            "out-of-distribution sets; may be given several times (default: every set of the "
            "world that is at hand)",
            "SET",
            name="--out",
        ),
    ] = ()
    world: Annotated[str | None, Parameter(metavar="NAME")] = None
    """world of the sets (default: the checkpoint's own)"""
    limit: Limit = SHIPPED_LIMIT


@Parameter(name="*", group=BOUNDS)
@dataclass(frozen=True)
class DrawOptions:
    """What the bounds depend on beside checkpoint, images and the number of draws.

    None stands for what stored results were made with, which ``EvalSettings`` knows.
    """

    seed: Annotated[int, whole(0, "seed of the draws from the model and of the equal numbers")] = 0
    skipped: Literal["sample", "mean"] | None = None
    """what a skipped layer z_i, i <= k, passes down: a draw from its prior, or the prior's mean
    (default: as in the stored results)"""
    up: Literal["mean", "sample"] | None = None
    """what a skipped layer passes up to the layers above it: its posterior mean, or a draw
    (default: as in the stored results)"""
    precision: Literal["float32", "bfloat16"] | None = None
    """of the networks; bfloat16 is quicker where the machine computes in it, and moves the bounds
    a little (default: float32)"""
    device: Annotated[str, Parameter(metavar="NAME")] = "cpu"
    """where to compute: cpu, cuda, cuda:1, mps"""
    compiling: Annotated[Literal["auto", "off", "full"], Parameter(name="--compile")] = "auto"
    """auto: a graphics card replays recorded passes, at the same figures but for rounding; full:
    it also makes kernels for sums and activations, which takes seconds and pays with many images"""

    def settings(self) -> EvalSettings:
        """The settings of the bounds that were asked for."""
        from hvae_core.evaluation.evaluation import EvalSettings

        names = ("samples", "partial_samples", "skipped", "up", "precision")
        asked = {name: value for name in names if (value := getattr(self, name, None))}
        return EvalSettings(seed=self.seed, **asked)

    def place(self, checkpoint: Checkpoint) -> None:
        """Bring the model where it is to compute."""
        from hvae_core.common.errors import ConfigError
        from hvae_core.evaluation.replay import compile_scoring

        compile_scoring(self.compiling)
        try:
            checkpoint.model.to(self.device)
        except (RuntimeError, AssertionError) as exc:  # torch raises either for an absent device
            raise ConfigError(
                f"There is no device {self.device} on this machine; use cpu."
            ) from exc


@Parameter(name="*", group=BOUNDS)
@dataclass(frozen=True)
class BoundOptions(DrawOptions):
    """What the bounds depend on beside checkpoint and images."""

    samples: Annotated[
        int | None,
        whole(
            1, "importance samples of L; above 1, LLR uses L^S in its first term (default: 10)", "S"
        ),
    ] = None
    partial_samples: Annotated[
        int | None, whole(1, "samples over which L>k is averaged for k >= 1 (default: 10)", "S")
    ] = None
