"""The image sets that the papers name: where each is had, how it is prepared, who made it.

One entry a set. Worlds, ``--in`` and ``--out``, and the field for a set of one's own all take these
names; ``python -m hvae_core datasets`` lists them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hvae_core.common.arrays import Shape
from hvae_core.data.image_set import Rule

GREY: Shape = (1, 28, 28)
COLOUR: Shape = (3, 32, 32)
_RESEARCH = "non-commercial research"
_NONE = "none stated"


@dataclass(frozen=True)
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
    "omniglot",
    "Omniglot, dark on white",
    GREY,
    "MIT",
    "Lake, Salakhutdinov and Tenenbaum 2015, Human-level concept learning through probabilistic "
    "program induction",
    "dpdl-benchmark/omniglot",
)
_SMALLNORB = RegisteredSet(
    "smallnorb",
    "SmallNORB toys",
    GREY,
    "research only, not to be sold",
    "LeCun, Huang and Bottou 2004, Learning Methods for Generic Object Recognition with Invariance "
    "to Pose and Lighting",
    "Ramos-Ramos/smallnorb",
    image="image_lt",
    label="category",
)


def _inverted(entry: RegisteredSet, title: str) -> RegisteredSet:
    """The set with 255 - x for x (HVK App. A)."""
    return RegisteredSet(
        f"{entry.name}_inverted",
        title,
        entry.shape,
        entry.licence,
        entry.citation,
        of=entry.name,
        change="inverted",
    )


_GREY_SETS = (
    RegisteredSet(
        "fashion_mnist",
        "FashionMNIST clothes",
        GREY,
        "MIT",
        "Xiao, Rasul and Vollgraf 2017, Fashion-MNIST: a Novel Image Dataset for Benchmarking "
        "Machine Learning Algorithms",
        "zalando-datasets/fashion_mnist",
        shuffle=False,
    ),
    RegisteredSet(
        "mnist",
        "MNIST digits",
        GREY,
        "CC BY-SA 3.0, as usually given",
        "LeCun, Bottou, Bengio and Haffner 1998, Gradient-Based Learning Applied to Document "
        "Recognition",
        "ylecun/mnist",
    ),
    RegisteredSet(
        "kmnist",
        "KMNIST characters",
        GREY,
        "CC BY-SA 4.0",
        "Clanuwat et al. 2018, Deep Learning for Classical Japanese Literature",
        "tanganke/kmnist",
        shuffle=False,
    ),
    RegisteredSet(
        "notmnist",
        "notMNIST letters",
        GREY,
        _NONE,
        "Bulatov 2011, notMNIST dataset",
        "anubhavmaity/notMNIST",
    ),
    _OMNIGLOT,
    _inverted(_OMNIGLOT, "Omniglot, light on black"),
    _SMALLNORB,
    _inverted(_SMALLNORB, "SmallNORB toys, inverted"),
)
# INF App. D crops these pictures at random; its Table 16 and the sets of 32x32 resize.
_COLOUR_SETS = (
    RegisteredSet(
        "cifar10",
        "CIFAR10",
        COLOUR,
        _NONE,
        "Krizhevsky 2009, Learning Multiple Layers of Features from Tiny Images",
        "uoft-cs/cifar10",
        image="img",
        shuffle=False,
    ),
    RegisteredSet(
        "cifar100",
        "CIFAR100",
        COLOUR,
        _NONE,
        "Krizhevsky 2009, Learning Multiple Layers of Features from Tiny Images",
        "uoft-cs/cifar100",
        image="img",
        label="fine_label",
    ),
    RegisteredSet(
        "svhn",
        "SVHN house numbers",
        COLOUR,
        _RESEARCH,
        "Netzer et al. 2011, Reading Digits in Natural Images with Unsupervised Feature Learning",
        "ufldl-stanford/svhn",
        "cropped_digits",
    ),
    RegisteredSet(
        "celeba",
        "CelebA faces",
        COLOUR,
        _RESEARCH,
        "Liu, Luo, Wang and Tang 2015, Deep Learning Face Attributes in the Wild",
        "flwrlabs/celeba",
        splits={"validation": "valid"},
        label="celeb_id",
        rule="crop",
    ),
    RegisteredSet(
        "places365",
        "Places365 scenes",
        COLOUR,
        "non-commercial research and education",
        "Zhou et al. 2017, Places: A 10 Million Image Database for Scene Recognition",
        # The official validation images, which this set calls train.
        "dpdl-benchmark/Places365-Validation",
        splits={"test": "train"},
        rule="crop",
    ),
    RegisteredSet(
        "flowers102",
        "Flowers102",
        COLOUR,
        _NONE,
        "Nilsback and Zisserman 2008, Automated Flower Classification over a Large Number of "
        "Classes",
        "nkirschi/oxford-flowers",
        rule="crop",
    ),
    RegisteredSet(
        "lfw",
        "LFW faces",
        COLOUR,
        _NONE,
        "Huang et al. 2007, Labeled Faces in the Wild",
        "logasja/lfw",
        "default",
        splits={"test": "train"},
        rule="crop",
    ),
    RegisteredSet(
        "food101",
        "Food101 dishes",
        COLOUR,
        "scientific fair use",
        "Bossard, Guillaumin and Van Gool 2014, Food-101: Mining Discriminative Components with "
        "Random Forests",
        "ethz/food101",
        splits={"test": "validation"},
    ),
    RegisteredSet(
        "tiny_imagenet",
        "Tiny ImageNet",
        COLOUR,
        "ImageNet terms, non-commercial research",
        "Le and Yang 2015, Tiny ImageNet Visual Recognition Challenge",
        "zh-plus/tiny-imagenet",
        splits={"test": "valid"},
    ),
    RegisteredSet(
        "gtsrb",
        "Traffic signs (GTSRB)",
        COLOUR,
        "free for research",
        "Stallkamp, Schlipsing, Salmen and Igel 2012, Man vs. Computer: Benchmarking Machine "
        "Learning Algorithms for Traffic Sign Recognition",
        "tanganke/gtsrb",
    ),
    RegisteredSet(
        "chars74k",
        "Street characters (Chars74K)",
        COLOUR,
        "free for research",
        "de Campos, Babu and Varma 2009, Character Recognition in Natural Images",
        shuffle=False,
    ),
)

ENTRIES: dict[str, RegisteredSet] = {entry.name: entry for entry in (*_GREY_SETS, *_COLOUR_SETS)}
