"""Which characters each out-of-distribution set is made of, and its class names.

Left out everywhere: characters whose shape is that of a letter A-J (Greek and Cyrillic
look-alikes); what remains alike in single faces (an old-style 1 drawn as `I`) is found by comparing
pictures in `make.py`.
"""

from __future__ import annotations

# Lower-case letters other than those which are capitals drawn small (c o s u v w x z), or an I (l).
LOWER = "abdefghijkmnpqrty"
DIGITS = "0123456789"
# Signs with some ink to them: a full stop, comma, hyphen or bar alone would be a blot or a line.
SIGNS = '!?&%#@$+=/*()[]{}<>~:;"§¶€£'
# Greek capitals that look like no Latin letter at all.
GREEK = "ΓΔΘΛΞΠΣΦΨΩ"
# Cyrillic letters of no Latin shape, capitals and small.
CYRILLIC = "БГДЖЗИЛПФЦЧШЩЪЫЭЮЯбджзилфцчшщыэюя"
SCRIPTS = {
    "hiragana": "あいうかきくさすせたなのはまもやゆらりをん",
    "katakana": "アイウエオカキクケサシスタテナヌネハホマムメモヤヨラルロワ",
    "hangul": "가나다라마바사아자차카타파하고도보소한글국강",
    "devanagari": "अआइउएकखगघचछजटडतदधनपबमयरलवशसह",
    "thai": "กขคงจฉชซญดตถทธนบปผพฟมยรลวสหอฮ",
    "tamil": "அஆஇஉஎஒகஙசஞடணதநபமயரலவழளறன",
    "georgian": "აბგდევზთიკლმნპჟრსტუფქღყშჩცძწჭხჯ",
    "hebrew": "אבגדהוזחטכלמנפצקרשת",
    "armenian": "ԱԲԳԴԵԶԷԸԹԺԻԼԽԾԿՀՁՂՃՄՅՇՈՉՊՋՌ",
}


def sets() -> dict[str, dict[str, str]]:
    """Set name -> class name -> its characters."""
    single = {"lower": LOWER, "digits": DIGITS, "signs": SIGNS, "greek": GREEK,
              "cyrillic": CYRILLIC}  # fmt: skip
    return {name: {c: c for c in text} for name, text in single.items()} | {"script": SCRIPTS}
