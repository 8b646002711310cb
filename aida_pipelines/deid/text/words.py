"""Which words are ordinary ones: Swedish and English by spelling dictionaries, medical ones by vocabularies.

The dictionaries are Hunspell's as the wheel of ``spylls`` (MIT) carries them: Den stora svenska ordlistan by Göran
Andersson (LGPL 3) and SCOWL's ``en_US``. Its own look-up takes seconds to load and up to 40 ms a word; here only
suffixes are taken off, and Swedish compounds are made of two or three words that are known.

What a dictionary has with a capital is a name (of a person, a place, a firm) and no ordinary word.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path

from aida_pipelines.contracts.vocabulary import normalise

_MIN_PART, _MIN_LAST = 3, 4
_MAX_PARTS = 3
_MAX_LETTERS = 40

_NATURE = frozenset(
    """
    alm ask axel back backe berg björk björn blad blom blomma bo bodil borg bro bäck dag dahl dal dalen ek
    ekman falk fors frisk frost glad gran granat grann gren grip gunga gås hammar hammare hed hem hjelm
    hjort hjälm holm hägg hök kall kling klint kvist lans lax lilja lind liv ljung lo lund lärka löv malm
    man mark modig molin my mård mörk norr nyman palm rask ring ro ros rosen roth rönn sand siv sjö sköld
    skog skoog skytt sten stig stark storm strand stål ström sund svan svärd söder tall tapper tell tor
    trana udd ulv vall varg vass vik vinge vinter våg wall åberg åker ål ängel ö öberg öman örn öst frid
    glans gyllen hall hell hulth humla hurtig kjell kraft krona kron kula lindgren ljus lycke lång mild
    morell rapp rot sandell snäll spets spjut sträng stolt sparv svensk trygg vän värn erik eric karl carl
    johan nils anders per lars peter jon hans åke arne sven göran ulf bengt gustav gustaf olof ola ove pål
    leif tage tore ture vide viking ylva åsa maj may rut ida eva ella elsa saga tove tyra vera alva ebba
    mila enar hult lotta brink åse flink jasmin veronika malva lönn norrman else tuva ville meja lova jarl
    strid hannes fred lina rita august marina helga britt sam tova asp ågren rosén nord kasper blixt
    charlotta said nova minna moa molly svea linn love green oliver alexis junior osman khan bill rose grace
    hope will frank jack rob nick bob jean baker cook smith king brown young hill grant ivy lily freja ester
    greta hilda inga inger ingrid iris siri signe stella sol alma
    """.split()  # noqa: SIM905 - a list would be a page long
)
"""Ordinary words and short forms that are common names in Sweden or parts of them, and English ones; our own list."""

_ENGLISH = frozenset(
    [
        "a",
        "act",
        "all",
        "am",
        "an",
        "as",
        "at",
        "be",
        "best",
        "care",
        "case",
        "do",
        "he",
        "in",
        "it",
        "no",
        "now",
        "on",
        "or",
        "reading",
        "so",
        "us",
        "who",
        "will",
    ]
)
"""Words with which English sentences begin, and which the English dictionary has as names as well (On: Ontario)."""

_NAME_ENDINGS = re.compile(
    r".+(?:sson|son|sen|zon|dotter|qvist|kvist|quist|ström|strøm|berg|bergh|borg|gren|lund|lundh|lind|lindh|holm|blad"
    r"|blom|stedt|städt|stad|dahl|dal|berger|man|mann|bäck|beck|löf|löv|sjö|fors|gård|hagen|skog|stam|strand|ell|elius"
    r"|ander|lander|vall|wall|feldt|felt|ny|näs|by|torp|sköld|hjelm|mark|ros|rosen|sten|brandt|gren|ling|lin|én|ius|ov"
    r"|ova|ic|ić|ski|sky|oğlu|oglu|ez|idis|poulos|nen)s?"
)
"""How surnames end. A compound with such an end that no dictionary has is taken for one."""


class Dictionary:
    """A Hunspell dictionary, as far as suffixes go (hunspell(5): SFX, FORBIDDENWORD, NEEDAFFIX, ONLYINCOMPOUND).

    Args:
        path: Without ``.dic`` and ``.aff``.
    """

    def __init__(self, path: Path) -> None:
        misspelt = self._needs_ending = self._part_only = "\0"
        self._stems: dict[str, str] = {}
        self._names: set[str] = set()
        self._parts: set[str] = set()
        self._endings: dict[str, list[tuple[str, str, re.Pattern[str]]]] = {}
        self._longest = 0
        for line in _lines(path.with_suffix(".aff")):
            fields = line.split()
            if fields[:1] == ["FORBIDDENWORD"]:
                misspelt = fields[1]
            elif fields[:1] == ["NEEDAFFIX"]:
                self._needs_ending = fields[1]
            elif fields[:1] == ["ONLYINCOMPOUND"]:
                self._part_only = fields[1]
            elif fields[:1] == ["SFX"]:
                self._ending(fields)
        for line in _lines(path.with_suffix(".dic")):
            word, _, flags = line.partition("/")
            if misspelt in flags:
                continue
            if word[:1].isupper():
                self._names.add(word.casefold())
            elif self._part_only in flags:
                self._parts.add(word)
            else:
                self._stems[word] = self._stems.get(word, "") + flags

    def _ending(self, fields: list[str]) -> None:
        if len(fields) < 5:
            return
        _, flag, gone, added, condition = fields[:5]
        form, _, more = added.partition("/")
        ending = "" if form == "0" else form
        if ending == "" and self._part_only in more:
            return
        self._endings.setdefault(ending, []).append(
            (flag, "" if gone == "0" else gone, re.compile(f"(?:{condition})$"))
        )
        self._longest = max(self._longest, len(ending))

    def has(self, word: str) -> bool:
        """Whether a word in lower case is in it, in any of its forms."""
        flags = self._stems.get(word)
        if flags is not None and self._needs_ending not in flags:
            return True
        for length in range(min(self._longest, len(word) - 1) + 1):
            stem = word[: len(word) - length]
            for flag, gone, condition in self._endings.get(word[len(word) - length :], ()):
                whole = stem + gone
                if flag in self._stems.get(whole, "") and condition.search(whole):
                    return True
        return False

    def is_name(self, word: str) -> bool:
        """Whether it has the word, in lower case here, with a capital."""
        return word in self._names

    def is_part(self, word: str) -> bool:
        """Whether it is the first part of compounds and no word itself."""
        return word in self._parts


class Words:
    """The allow-list.

    Args:
        medical: Words that are allowed beside the dictionaries', normalised: a vocabulary's terms.
    """

    def __init__(self, medical: Iterable[str]) -> None:
        self._medical = frozenset(medical)
        self._swedish, self._english = self._dictionaries = dictionaries()
        self.ordinary = lru_cache(maxsize=1 << 16)(self._ordinary)

    def _ordinary(self, word: str) -> bool:
        """Whether a word, in lower case, is an ordinary or a medical one."""
        return self.listed(word) or self._compound(word)

    def listed(self, word: str) -> bool:
        """The same without compounds."""
        return self.medical(word) or any(one.has(word) for one in self._dictionaries)

    def medical(self, word: str) -> bool:
        """Whether a vocabulary has it."""
        return normalise(word) in self._medical

    def may_be_name(self, word: str) -> bool:
        """Whether a word, in lower case, is a name as well."""
        if word in _NATURE or any(self._swedish.is_name(form) for form in (word, word.removesuffix("s"))):
            return True
        if word in _ENGLISH or self.medical(word) or self._swedish.has(word):
            return False
        return self._english.is_name(word)

    def _compound(self, word: str, parts: int = _MAX_PARTS) -> bool:
        if len(word) > _MAX_LETTERS or (parts == _MAX_PARTS and _NAME_ENDINGS.fullmatch(word)):
            return False
        for place in range(_MIN_PART, len(word) - _MIN_LAST + 1):
            if not self._first_part(word[:place]):
                continue
            rest = word[place:]
            if self._last_part(rest) or (parts > 2 and self._compound(rest, parts - 1)):
                return True
        return False

    def _first_part(self, part: str) -> bool:
        if self._last_part(part) or self._swedish.is_part(part):
            return True
        if part.endswith("s"):
            return self._last_part(part[:-1]) and len(part) > _MIN_PART
        return len(part) > _MIN_PART and any(self._last_part(part + end) for end in ("a", "e"))

    def _last_part(self, part: str) -> bool:
        return self._swedish.has(part) or self.medical(part)


@cache
def dictionaries() -> tuple[Dictionary, ...]:
    """Swedish and English; read once a process (a second, 60 MB)."""
    package = find_spec("spylls")
    if package is None or not package.submodule_search_locations:
        raise ModuleNotFoundError("No module named 'spylls'", name="spylls")
    data = Path(package.submodule_search_locations[0]) / "hunspell" / "data"
    return Dictionary(data / "sv" / "sv_SE"), Dictionary(data / "en" / "en_US")


def _lines(path: Path) -> Iterator[str]:
    with path.open(encoding="utf-8") as file:
        for line in file:
            yield line.strip()
