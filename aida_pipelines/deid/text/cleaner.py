"""Free text without what identifies: first what is known, then what has a form, then all that isn't known harmless.

1. The person's own identifiers (``known``).
2. Recognisers: numbers, dates, addresses, names by their place, and whatever else is plugged in (``Recogniser``).
3. The allow-list: a word that is neither an ordinary nor a medical one goes; with a capital where none is due it goes
   also if it is an ordinary one (``Berg``, ``Ström``), unless a vocabulary has it.

What goes leaves a label behind (``[name]``, ``[date]``, ``[number]``, ``[contact]``, ``[place]``, and ``[...]`` for a
word of which nothing is known). A sentence that can't be made safe goes whole: most of it is unknown, it is spelled
out, or in another script.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from aida_pipelines.deid.text.contacts import contacts
from aida_pipelines.deid.text.dates import dates, high_ages
from aida_pipelines.deid.text.found import Found
from aida_pipelines.deid.text.known import NOTHING, Known
from aida_pipelines.deid.text.names import after_titles, names_by_place
from aida_pipelines.deid.text.plain import INVISIBLE, plain
from aida_pipelines.deid.text.swedish import swedish_numbers
from aida_pipelines.deid.text.words import Words


class Recogniser(Protocol):
    """What finds identifiers in a text: a pattern, or a language model that someone brings.

    None is needed: what it finds goes in addition to what goes without it, so a poor one does no harm but to the
    text's use. It must give the same for the same text: results are compared byte for byte.
    """

    def __call__(self, text: str, /) -> Iterable[Found]:
        """Places in ``text``, in characters; kinds as in ``LABELS``, any other counts as a name."""


LABELS = {
    "date": "[date]",
    "age": "90",
    **dict.fromkeys(
        (
            "number",
            "personal-number",
            "coordination-number",
            "interim-number",
            "reserve-number",
            "hsa-id",
        ),
        "[number]",
    ),
    **dict.fromkeys(("mail", "web", "computer", "telephone"), "[contact]"),
    **dict.fromkeys(("street", "postcode", "position", "place"), "[place]"),
    "word": "[...]",
}  # fmt: skip
"""What stands for what went, by kind."""

_NAME = "[name]"

RECOGNISERS: tuple[Recogniser, ...] = (swedish_numbers, contacts, dates, high_ages, names_by_place)

_ABBREVIATIONS = frozenset(
    """
    ap pa ax cor sag lat hö vä dx sin bil bilat iv po sc im pga bla tex dvs etc ca resp inkl exkl ev ffa fd
    ua obs jfr årig åring åriga årige pnr persnr enl mtp sk osv mm cm ml mg kg kv ma mas gy mgy hu ms mr ct
    dt ul us rtg pet spect dsa mra mrt mrcp cta ctpa hrct flair dwi adc swi stir tse gre epi tof asl dti
    ivim fs gd gdl hb crp psa ast alt alp sr lpk tpk inr egfr krea ekg eeg emg bt af puls temp nyha tnm pt
    pn pm ct0 er pr her her2 ki67 lm lbp hcc rcc sclc nsclc dlbcl cll kol astma op postop preop rec ber dg
    diff ddx vas who ecog ica acm aca acp acc acd pica sca basilaris svc ivc la lv ra rv lca rca lad lcx ef
    aorta ts vc va dxt sth thx abd buk lgl nativ kontrast jod pvk cvk picc nsd mvh pat remiss bi rads pi
    lung ti th med hsl pad pkt kort nr tel
    """.split()  # noqa: SIM905 - a list would be a page long
)
"""Of clinical Swedish; our own list."""

_EPONYMS = frozenset(
    """
    alzheimer parkinson crohn hodgkin gleason cushing schmorl bosniak fazekas lisfranc cobb couinaud tarlov
    modic pfirrmann monteggia colles bankart perthes scheuermann meckel hounsfield doppler fleischner
    bochdalek wilms ewing kaposi warthin chiari willis sylvii fallot kerley pancoast horner hashimoto
    basedow wernicke huntington lewy barrett langerhans paget osgood schlatter achilles baastrup virchow
    monro magendie luschka rolandi broca valsalva
    """.split()  # noqa: SIM905
)
"""Names of diseases and structures that are written with a capital; those that are common surnames are left out."""

_STARTERS = frozenset({"inga", "hans", "per", "man", "för", "om", "på", "dag", "sol", "ligger"})
"""Also names, and so common as a sentence's first word that they stay there before a word in lower case."""

_PARTICLES = frozenset(
    [
        "von",
        "van",
        "af",
        "de",
        "del",
        "della",
        "der",
        "den",
        "di",
        "da",
        "dos",
        "la",
        "le",
        "el",
        "al",
        "bin",
        "ibn",
        "ter",
        "och",
        "&",
        "and",
        "o",
    ]
)
_MODALITIES = frozenset("mr mrt ct dt ul us rtg pet spect röntgen mammografi angio".split())  # noqa: SIM905

_TOKEN = re.compile(r"[^\W_]+")
_SENTENCE = re.compile(r"(?<!\b[A-ZÅÄÖ]\.)(?<=[.!?])[ \t]+|[\r\n]+")
_STARTING = re.compile(r"(?:^|[.!?:;•*>\"“”\n]|(?:^|\s)[-–])[\s\"“”(*]*$|^\s*\d{1,2}[.)]\s*$")
_APART = re.compile(r"[ \t.,\-'’´`/&+]{1,3}")
_SPELLED_OUT = re.compile(r"(?<![^\W_])(?:[^\W\d_][ .\-_/]{1,2}){3,}[^\W\d_](?![^\W_])")
_SPACES = re.compile(r"[ \t]{2,}")
_DIGIT_RUN = re.compile(r"(?<![\d.,])\d{1,6}(?:[ \-_/.:]\d{1,6})+(?!\d)")
_LETTERS_NUMBER = re.compile(r"([^\W\d_]{1,6})(\d{1,4})([^\W\d_]{0,3})")
_NUMBER_UNIT = re.compile(r"(\d{1,4})([^\W\d_]{1,8})")
_MAX_DIGITS = 4
_MAX_RUN = 7
_WORD_IN_CAPITALS = 5
_INITIALS = 3
_START = 24
"""Characters before a word that tell whether a sentence or a heading begins with it."""


@dataclass(slots=True)
class _Token:
    start: int
    stop: int
    text: str
    first: bool = False
    titled: bool = False
    kind: str = ""
    """What it goes as; empty: it stays."""

    @property
    def is_capital(self) -> bool:
        return self.text[0].isupper() or self.text[0].istitle()


@dataclass(frozen=True, slots=True)
class _Writing:
    """How a sentence is written as a whole.

    Attributes:
        lower: Without any capital: names may be so too.
        upper: In capitals throughout.
    """

    lower: bool
    upper: bool


class TextCleaner:
    """Cleans prose: comments, reports, columns of clinical tables.

    Args:
        words: The allow-list.
        recognisers: Recognisers beside our own.
    """

    def __init__(self, words: Words, recognisers: Sequence[Recogniser] = ()) -> None:
        self._words = words
        self._recognisers = (*RECOGNISERS, *recognisers)

    def __call__(self, text: str, known: Known = NOTHING) -> str:
        """The text with labels for what went.

        Args:
            text: As delivered.
            known: The identifiers of the person whom it is about.
        """
        text = unicodedata.normalize("NFC", text)
        found = {
            *known.find(text),
            *(place for recogniser in self._recognisers for place in recogniser(text)),
        }
        runs = [run for run in _digit_runs(text) if not any(_overlap(run, place) for place in found)]
        titled = after_titles(text)
        parts = []
        position = 0
        for match in (*_SENTENCE.finditer(text), None):
            stop = match.start() if match else len(text)
            parts.append(self._sentence(text, position, stop, [*sorted(found), *runs], titled))
            if match:
                parts.append(match.group())
                position = match.end()
        lines = ("".join(parts)).split("\n")
        return "\n".join(_SPACES.sub(" ", line).strip() for line in lines).strip()

    def unusual(self, text: str) -> list[str]:
        """The words of a text that may be names: those that are no ordinary word, or a name as well."""
        return [
            word
            for word in re.findall(r"[^\W\d_]{2,}", unicodedata.normalize("NFC", text))
            if not self._words.ordinary(word.lower()) or self._words.may_be_name(word.lower())
        ]

    def _sentence(
        self, text: str, start: int, stop: int, found: Sequence[Found], titled: frozenset[int]
    ) -> str:
        sentence = text[start:stop]
        here = [place for place in found if place.start < stop and place.stop > start]
        tokens = self._tokens(text, start, stop, here, titled)
        if _is_unsafe(plain(sentence), tokens):
            return ""
        places = [Found(max(place.start, start), min(place.stop, stop), place.kind) for place in here]
        places += [Found(token.start, token.stop, token.kind) for token in tokens if token.kind]
        return _labelled(text, start, stop, places)

    def _tokens(
        self, text: str, start: int, stop: int, found: Sequence[Found], titled: frozenset[int]
    ) -> list[_Token]:
        read = plain(text[start:stop])
        writing = _Writing(
            lower=not any(char.isupper() for char in read), upper=not any(char.islower() for char in read)
        )
        tokens: list[_Token] = []
        gone: dict[int, str] = {}
        for one in found:
            for place in range(max(one.start, start), min(one.stop, stop)):
                gone.setdefault(place, one.kind)
        for match in _TOKEN.finditer(read):
            token = _Token(match.start() + start, match.end() + start, match.group())
            # What is found of a word takes the whole word with it.
            token.kind = next((gone[place] for place in range(token.start, token.stop) if place in gone), "")
            token.titled = token.start in titled
            before = tokens[-1].text.lower() if tokens else ""
            token.first = (
                _STARTING.search(read, max(0, match.start() - _START), match.start()) is not None
                or before in _MODALITIES
            )
            tokens.append(token)
        for place, token in enumerate(tokens):
            if not token.kind:
                following = tokens[place + 1] if place + 1 < len(tokens) else None
                token.kind = self._verdict(token, following, writing)
        self._join(tokens, text)
        return tokens

    def _verdict(self, token: _Token, following: _Token | None, writing: _Writing) -> str:
        """What a token goes as that nothing has found; empty if it stays."""
        word, lower = token.text, token.text.lower()
        if not word.isalpha():
            return "" if self._is_measure(word) else ("number" if word.isdecimal() else "word")
        if len(word) == 1 or (lower in _ABBREVIATIONS and not (token.titled and token.is_capital)):
            return ""
        if word.islower():
            return self._lower(lower, token.titled or writing.lower)
        if word.isupper():
            listed = (
                self._words.listed(lower) if len(word) < _WORD_IN_CAPITALS else self._words.ordinary(lower)
            )
            return "" if listed and not self._words.may_be_name(lower) else "name"
        if word[1:].islower():
            return "" if self._stays_with_capital(token, lower, following) else "name"
        return "" if self._words.medical(lower) and not self._words.may_be_name(lower) else "word"

    def _is_word_in_capitals(self, word: str, writing: _Writing) -> bool:
        """Short ones are acronyms, and may be initials, unless all is in capitals."""
        if len(word) <= _INITIALS and not writing.upper:
            return self._words.medical(word)
        return self._words.ordinary(word) if len(word) >= _WORD_IN_CAPITALS else self._words.listed(word)

    def _lower(self, word: str, suspicious: bool) -> str:
        """The same of a word in lower case; where names may be so too, what may be a name goes."""
        if not self._words.ordinary(word):
            return "word"
        return (
            "name" if suspicious and self._words.may_be_name(word) and not self._words.medical(word) else ""
        )

    def _stays_with_capital(self, token: _Token, lower: str, following: _Token | None) -> bool:
        words = self._words
        if lower in _EPONYMS or lower.removesuffix("s") in _EPONYMS:
            return not token.titled
        if words.may_be_name(lower):
            return token.first and lower in _STARTERS and bool(following and following.text.islower())
        return words.ordinary(lower) if token.first else words.medical(lower) and not token.titled

    def _is_measure(self, word: str) -> bool:
        """Whether a word with digits is a small number, a number with a unit, or a code such as ``T1``."""
        if word.isdecimal():
            return len(word) <= _MAX_DIGITS
        lower = word.lower()
        if match := _NUMBER_UNIT.fullmatch(lower):
            return match[2] in _ABBREVIATIONS or self._words.medical(match[2])
        if match := _LETTERS_NUMBER.fullmatch(lower):
            letters, tail = match[1], match[3]
            return (
                len(letters) == 1
                or letters in _ABBREVIATIONS
                or letters == "th"
                or self._words.medical(letters)
            ) and (not tail or len(tail) == 1 or self._words.medical(tail))
        return lower in _ABBREVIATIONS or self._words.medical(lower)

    def _join(self, tokens: Sequence[_Token], text: str) -> None:
        """What stands beside a name and might be part of it goes with it."""
        for order in (range(len(tokens) - 1), range(len(tokens) - 2, -1, -1)):
            forwards = order.step > 0
            for place in order:
                token, neighbour = tokens[place], tokens[place + 1]
                if not forwards:
                    token, neighbour = neighbour, token
                if token.kind != "name" or neighbour.kind:
                    continue
                between = text[min(token.stop, neighbour.stop) : max(token.start, neighbour.start)]
                if _APART.fullmatch(plain(between)) and self._may_belong(neighbour, between):
                    neighbour.kind = "name"
        for before, token, after in zip(tokens, tokens[1:], tokens[2:], strict=False):
            if before.kind == after.kind == "name" and token.text.lower() in _PARTICLES:
                token.kind = "name"

    def _may_belong(self, token: _Token, between: str) -> bool:
        lower = token.text.lower()
        if not token.text.isalpha():
            return False
        if len(lower) == 1:
            return token.is_capital
        if lower in _EPONYMS:
            return True
        if "," in between and not token.is_capital:
            return False
        return self._words.may_be_name(lower) and not (self._words.medical(lower) and token.text.islower())


def _overlap(one: Found, other: Found) -> bool:
    return one.start < other.stop and one.stop > other.start


def _digit_runs(text: str) -> Iterator[Found]:
    """Groups of digits with signs between them that together are long enough to be somebody's number."""
    for match in _DIGIT_RUN.finditer(plain(text)):
        if sum(map(str.isdigit, match.group())) > _MAX_RUN:
            yield Found(match.start(), match.end(), "number")


def _is_unsafe(sentence: str, tokens: Sequence[_Token]) -> bool:
    if _SPELLED_OUT.search(sentence):
        return True
    if any(char.isalpha() and not _is_latin(char) for char in sentence.replace(INVISIBLE, "")):
        return True
    unknown = sum(token.kind == "word" for token in tokens)
    return unknown > 2 and 2 * unknown >= len(tokens)


def _is_latin(char: str) -> bool:
    # Greek letters and the micro sign are symbols of medicine.
    return char.isascii() or unicodedata.name(char, "").startswith(
        ("LATIN", "GREEK", "MICRO", "FEMININE", "MASCULINE")
    )


def _labelled(text: str, start: int, stop: int, places: list[Found]) -> str:
    """The text from ``start`` to ``stop`` with one label for places that touch or have blanks between them."""
    parts: list[str] = []
    position, last = start, ""
    for place in sorted(places, key=lambda one: (one.start, -one.stop, one.kind)):
        if place.stop <= position:
            continue
        begin = max(place.start, position)
        label = LABELS.get(place.kind, _NAME)
        between = text[position:begin]
        if label != last or between.strip(" \t.,-'’"):
            parts += [between, label]
        last = label
        position = place.stop
    return "".join((*parts, text[position:stop]))
