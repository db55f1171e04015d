"""The image sets that the papers name: where each is had, how it is prepared, who made it.

One entry a set. Worlds, ``--in`` and ``--out``, and the field for a set of one's own all take these
names; ``python -m hvae_core datasets`` lists them.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from hvae_core.common.arrays import Shape
from hvae_core.data.image_set import Rule

GREY: Shape = (1, 28, 28)
COLOUR: Shape = (3, 32, 32)
_RESEARCH = "non-commercial research"
_NONE = "none stated"


@dataclass(frozen=True, kw_only=True)
class RegisteredSet:
    """One set. ``name`` is also its folder under the data folder.

    ``hub`` is its name on the Hugging Face hub, empty where it has none, ``config`` the part of it
    to take; ``splits`` says what a split is called there where it is called otherwise. ``image``
    and ``label`` are its columns, empty where they have one of the usual names. ``rule`` is how the
    papers bring its pictures to ``shape``. ``change`` is a known change to every image of ``of``.
    """

    name: str
    title: str
    shape: Shape
    licence: str
    citation: str
    hub: str = ""
    config: str = ""
    splits: dict[str, str] = field(default_factory=dict, hash=False)
    image: str = ""
    label: str = ""
    rule: Rule = "resize"
    shuffle: bool = True
    of: str = ""
    change: str = ""

    def hub_split(self, split: str) -> str:
        """What a split of this set is called on the hub."""
        return self.splits.get(split, split)

    def hub_source(self, split: str = "test") -> str:
        """Where a split is on the hub, in words; empty where the hub has it not."""
        parts = [part for part in (self.hub, self.config, self.splits.get(split, "")) if part]
        return ":".join(parts)


_OMNIGLOT = RegisteredSet(
    name="omniglot",
    title="Omniglot, dark on white",
    shape=GREY,
    licence="MIT",
    citation="Lake, Salakhutdinov and Tenenbaum 2015, Human-level concept learning through "
    "probabilistic program induction",
    hub="dpdl-benchmark/omniglot",
)
_SMALLNORB = RegisteredSet(
    name="smallnorb",
    title="SmallNORB toys",
    shape=GREY,
    licence="research only, not to be sold",
    citation="LeCun, Huang and Bottou 2004, Learning Methods for Generic Object Recognition with "
    "Invariance to Pose and Lighting",
    hub="Ramos-Ramos/smallnorb",
    image="image_lt",
    label="category",
)


def _inverted(entry: RegisteredSet, title: str) -> RegisteredSet:
    """The set with 255 - x for x (HVK App. A)."""
    return replace(
        entry,
        name=f"{entry.name}_inverted",
        title=title,
        hub="",  # it is made of the other's images
        image="",
        label="",
        of=entry.name,
        change="inverted",
    )


_GREY_SETS = (
    RegisteredSet(
        name="fashion_mnist",
        title="FashionMNIST clothes",
        shape=GREY,
        licence="MIT",
        citation="Xiao, Rasul and Vollgraf 2017, Fashion-MNIST: a Novel Image Dataset for "
        "Benchmarking Machine Learning Algorithms",
        hub="zalando-datasets/fashion_mnist",
        shuffle=False,
    ),
    RegisteredSet(
        name="mnist",
        title="MNIST digits",
        shape=GREY,
        licence="CC BY-SA 3.0, as usually given",
        citation="LeCun, Bottou, Bengio and Haffner 1998, Gradient-Based Learning Applied to "
        "Document Recognition",
        hub="ylecun/mnist",
    ),
    RegisteredSet(
        name="kmnist",
        title="KMNIST characters",
        shape=GREY,
        licence="CC BY-SA 4.0",
        citation="Clanuwat et al. 2018, Deep Learning for Classical Japanese Literature",
        hub="tanganke/kmnist",
        shuffle=False,
    ),
    RegisteredSet(
        name="notmnist",
        title="notMNIST letters",
        shape=GREY,
        licence=_NONE,
        citation="Bulatov 2011, notMNIST dataset",
        hub="anubhavmaity/notMNIST",
    ),
    _OMNIGLOT,
    _inverted(_OMNIGLOT, "Omniglot, light on black"),
    _SMALLNORB,
    _inverted(_SMALLNORB, "SmallNORB toys, inverted"),
)
# INF App. D crops these pictures at random; its Table 16 and the sets of 32x32 resize.
_COLOUR_SETS = (
    RegisteredSet(
        name="cifar10",
        title="CIFAR10",
        shape=COLOUR,
        licence=_NONE,
        citation="Krizhevsky 2009, Learning Multiple Layers of Features from Tiny Images",
        hub="uoft-cs/cifar10",
        image="img",
        shuffle=False,
    ),
    RegisteredSet(
        name="cifar100",
        title="CIFAR100",
        shape=COLOUR,
        licence=_NONE,
        citation="Krizhevsky 2009, Learning Multiple Layers of Features from Tiny Images",
        hub="uoft-cs/cifar100",
        image="img",
        label="fine_label",
    ),
    RegisteredSet(
        name="svhn",
        title="SVHN house numbers",
        shape=COLOUR,
        licence=_RESEARCH,
        citation="Netzer et al. 2011, Reading Digits in Natural Images with Unsupervised Feature "
        "Learning",
        hub="ufldl-stanford/svhn",
        config="cropped_digits",
    ),
    RegisteredSet(
        name="celeba",
        title="CelebA faces",
        shape=COLOUR,
        licence=_RESEARCH,
        citation="Liu, Luo, Wang and Tang 2015, Deep Learning Face Attributes in the Wild",
        hub="flwrlabs/celeba",
        splits={"validation": "valid"},
        label="celeb_id",
        rule="crop",
    ),
    RegisteredSet(
        name="places365",
        title="Places365 scenes",
        shape=COLOUR,
        licence="non-commercial research and education",
        citation="Zhou et al. 2017, Places: A 10 Million Image Database for Scene Recognition",
        # The official validation images, which this set calls train.
        hub="dpdl-benchmark/Places365-Validation",
        splits={"test": "train"},
        rule="crop",
    ),
    RegisteredSet(
        name="flowers102",
        title="Flowers102",
        shape=COLOUR,
        licence=_NONE,
        citation="Nilsback and Zisserman 2008, Automated Flower Classification over a Large Number "
        "of Classes",
        hub="nkirschi/oxford-flowers",
        rule="crop",
    ),
    RegisteredSet(
        name="lfw",
        title="LFW faces",
        shape=COLOUR,
        licence=_NONE,
        citation="Huang et al. 2007, Labeled Faces in the Wild",
        hub="logasja/lfw",
        config="default",
        splits={"test": "train"},
        rule="crop",
    ),
    RegisteredSet(
        name="food101",
        title="Food101 dishes",
        shape=COLOUR,
        licence="scientific fair use",
        citation="Bossard, Guillaumin and Van Gool 2014, Food-101: Mining Discriminative "
        "Components with Random Forests",
        hub="ethz/food101",
        splits={"test": "validation"},
    ),
    RegisteredSet(
        name="tiny_imagenet",
        title="Tiny ImageNet",
        shape=COLOUR,
        licence="ImageNet terms, non-commercial research",
        citation="Le and Yang 2015, Tiny ImageNet Visual Recognition Challenge",
        hub="zh-plus/tiny-imagenet",
        splits={"test": "valid"},
    ),
    RegisteredSet(
        name="gtsrb",
        title="Traffic signs (GTSRB)",
        shape=COLOUR,
        licence="free for research",
        citation="Stallkamp, Schlipsing, Salmen and Igel 2012, Man vs. Computer: Benchmarking "
        "Machine Learning Algorithms for Traffic Sign Recognition",
        hub="tanganke/gtsrb",
    ),
    RegisteredSet(
        name="chars74k",
        title="Street characters (Chars74K)",
        shape=COLOUR,
        licence="free for research",
        citation="de Campos, Babu and Varma 2009, Character Recognition in Natural Images",
        shuffle=False,
    ),
)

ENTRIES: dict[str, RegisteredSet] = {entry.name: entry for entry in (*_GREY_SETS, *_COLOUR_SETS)}
