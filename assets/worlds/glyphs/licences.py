"""Which Debian font packages are used, and under which licence, checked against their own words.

Every package of `PACKAGES` states an open licence in /usr/share/doc/<package>/copyright;
`licence_of` reads that file again and refuses a package whose text no longer bears it out.
"""

from __future__ import annotations

import re
from pathlib import Path

_BY_LICENCE: dict[str, str] = {
    "OFL-1.1": """
        allerta anonymous-pro apropal arapey averia-gwf averia-sans-gwf averia-serif-gwf bajaderka
        bebas-neue blankenburg bwht cabin campania cantarell cardo century-catalogue cherrybomb cmu
        comfortaa comic-neue compagnon courier-prime crosextra-carlito dancingscript dosis
        dotgothic16 ebgaramond ebgaramond-extra ecolier-court elstob essays1743 eurofurence
        fantasque-sans ferrite-core firacode gamaliel gemunu-libre georgewilliams gfs-artemisia
        gfs-baskerville gfs-bodoni-classic gfs-complutum gfs-didot gfs-didot-classic
        gfs-neohellenic gfs-olga gfs-porson gfs-solomos gfs-theokritos gotico-antiqua havana
        humor-sans inconsolata inter joscelyn junction junicode jura karla karmilla kaushanscript
        klaudia-berenika klee kristi lato ldco le-murmure league-mono league-spartan leckerli-one
        lemonada levien-museum levien-typoscript liberation2 linuxlibertine lobster lobstertwo
        lohit-deva manrope millimetre monofur monoid mononoki morisawa-bizud-gothic mplus nanum
        nanum-extra national-park naver-d2coding noto-cjk noto-core noto-extra okolaks oldstandard
        opendin oxygen play quattrocento quicksand radisnoir rampart reggae rocknroll
        routed-gothic sawarabi-mincho sil-andika sil-charis sil-doulos sil-gentium
        sil-gentium-basic sil-gentiumplus sixtyfour smiley-sans solide-mirage sora stick stix
        tomsontalks train vollkorn woowa-bm yanone-kaffeesatz yrsa-rasa yusei-magic""",
    "OFL-1.0": "breip",
    "GPL with font exception": """
        adf-accanthis adf-baskervald adf-berenis adf-gillius adf-ikarius adf-irianis adf-libris
        adf-mekanus adf-oldania adf-romande adf-solothurn adf-switzera adf-tribun adf-universalis
        adf-verana freefont-ttf osifont rufscript sjfonts thai-tlwg tiresias urw-base35""",
    "Apache-2.0": """
        clear-sans crosextra-caladea jetbrains-mono motoya-l-cedar open-sans roboto-slab
        roboto-unhinted""",
    "MIT": "agave baekmuk fanwood lindenhill roadgeek",
    "BSD-3-Clause": "3270 go",
    "Bitstream Vera": "dejavu-core dejavu-extra hack",
    "GUST Font License (LPPL)": "lmodern texgyre",
    "CC0-1.0": "fantasma",
    "Unlicense": "glasstty",
    "public domain": "goudybookletter mona ocr-a ocr-b prociono tuffy",
}

PACKAGES: dict[str, str] = {
    f"fonts-{name}": licence for licence, names in _BY_LICENCE.items() for name in names.split()
}

# Families within an accepted package whose own licence line is another one.
OTHER_LICENCE = {"Waree"}

_EVIDENCE: dict[str, str] = {
    "OFL-1.1": r"\b(SIL-)?OFL-1\.1|SIL-1\.1|SIL[ _]OPEN[ _]FONT[ _]LICENSE",
    "OFL-1.0": r"^License: *OFL-1\.0",
    "GPL with font exception": r"GPL\S*(FE|[ _]with[ _]\S*( font)?[ -]?exception|FontException)"
    r"|special exception, if you create a document",
    "Apache-2.0": r"^License: *Apache-2",
    "MIT": r"^License: *(MIT|BAEKMUK-MIT-LIKE)",
    "BSD-3-Clause": r"^License: *(BSD-3-clause|BSD3)",
    "Bitstream Vera": r"^License: *.*Bitstream-?Vera",
    "GUST Font License (LPPL)": r"GUST[- ]Font[- ]License",
    "CC0-1.0": r"^License: *CC0-1\.0",
    "Unlicense": r"^License: *Unlicense",
    "public domain": r"^License:\s*public[- ]domain",
}


def licence_of(package: str) -> str:
    """Licence of an installed font package; ValueError where its copyright file disagrees."""
    licence = PACKAGES[package]
    text = Path("/usr/share/doc", package, "copyright").read_text(errors="replace")
    if not re.search(_EVIDENCE[licence], text, re.IGNORECASE | re.MULTILINE):
        raise ValueError(f"{package}: its copyright file does not say {licence}; leave it out.")
    return licence
