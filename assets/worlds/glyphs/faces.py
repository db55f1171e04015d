"""The faces that the installed font packages hold, read by fontconfig's `fc-scan`."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from licences import OTHER_LICENCE, PACKAGES, licence_of

_FORMAT = "%{file}\t%{index}\t%{family[0]}\t%{style[0]}\t%{weight}\t%{slant}\t%{charset}\n"

# Families that are no typefaces for text: symbols, guides, outlines of squares, single alphabets
# of initials, or letters that cannot be told apart at 28 pixels (looked at, one by one).
LEFT_OUT = re.compile(
    r"Symbol|Math|Keyboard|Initials|SizeOne|SizeTwo|SizeThree|SizeFour|SizeFive|STIXInt"
    r"|STIXVar|STIXNonUni|Signfont|Keyfont|D050000L|Music|Emoji|pautada|punteada|guiada|punt-"
    r"|BABEL|IPA PHON|API PHON|Caps$|Dunhill|SignWriting|oraeorae|Rampart|Train One|Solothurn"
    r"|Joscelyn|Kristi|Bajaderka|Blankenburg|Zainer|Le Murmure|C-64|unifur|Eco$"
)
# Hairlines fade when brought down to 28 pixels; outlines and insets are no strokes.
LEFT_OUT_STYLE = re.compile(
    r"Thin|Hairline|Extra ?Light|UltraLight|ExtraCondensed|SemiCondensed|Outline|Inverted"
)


@dataclass(frozen=True)
class Face:
    """One face of one font file: where it lies, what it is called, what it covers."""

    path: str
    index: int
    family: str
    style: str
    weight: float
    slant: float
    ranges: tuple[tuple[int, int], ...]
    package: str
    version: str
    licence: str

    @property
    def name(self) -> str:
        """Family and style, the name in the column `font`."""
        return f"{self.family} {self.style}"

    def covers(self, characters: str) -> bool:
        """Whether the face's character map holds every one of `characters`."""
        return all(any(lo <= ord(c) <= hi for lo, hi in self.ranges) for c in characters)


def _ranges(charset: str) -> tuple[tuple[int, int], ...]:
    pairs = (part.split("-") for part in charset.split())
    return tuple((int(pair[0], 16), int(pair[-1], 16)) for pair in pairs)


def _package_files(package: str) -> list[str]:
    listed = subprocess.run(["dpkg", "-L", package], capture_output=True, text=True, check=True)
    files = [Path(line) for line in listed.stdout.splitlines()]
    kinds = {".ttf", ".otf", ".ttc", ".otc"}
    return sorted({str(f.resolve()) for f in files if f.suffix.lower() in kinds and f.is_file()})


def _package_faces(package: str) -> list[Face]:
    query = ["dpkg-query", "-W", "-f", "${Version}", package]
    version = subprocess.run(query, capture_output=True, text=True, check=True).stdout
    licence, files = licence_of(package), _package_files(package)
    if not files:
        return []
    scan = ["fc-scan", "--format", _FORMAT, *files]
    faces = []
    for line in subprocess.run(scan, capture_output=True, text=True, check=True).stdout.split("\n"):
        if line.count("\t") != 6:
            continue
        path, index, family, style, weight, slant, charset = line.split("\t")
        # Variable fonts list ranges for a weight and instances above 16 bits: their static
        # siblings are in the same packages.
        if not index.isdigit() or int(index) > 0xFFFF or "[" in weight + path or not charset:
            continue
        if LEFT_OUT.search(family) or LEFT_OUT_STYLE.search(style) or family in OTHER_LICENCE:
            continue
        faces.append(
            Face(path, int(index), family.replace("\\", ""), style, float(weight), float(slant),
                 _ranges(charset), package, version, licence)
        )  # fmt: skip
    return faces


def all_faces() -> list[Face]:
    """Every usable face of the packages, one per (family, style), in a fixed order."""
    found: dict[str, Face] = {}
    for package in sorted(PACKAGES):
        for face in _package_faces(package):
            # The same face as .ttf and .otf, or in two packages, counts once.
            found.setdefault(face.name, face)
    return sorted(found.values(), key=lambda f: (f.family, f.weight, f.slant, f.style))
