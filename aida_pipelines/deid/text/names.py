"""Names in prose by where they stand: behind titles and roles, before degrees, in signatures and greetings.

What is found here is found by its place, whatever the word: ``dr Ring`` and ``ssk Björk`` are persons. Names that
stand anywhere else are the allow-list's (``cleaner``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from aida_pipelines.deid.text.found import Found
from aida_pipelines.deid.text.plain import plain

_TITLES = (
    r"doktor|d:r|prof|professor|docent|doc|öl|bitr\.?\söl|överläkare\w*|överl|specialistläkare\w*|spec\.?\s?läk(?:are)?"
    r"|leg\.?\s?läk(?:are)?|st-läk(?:are)?|st-läkare\w*|at-läk(?:are)?|underläk(?:are)?|läk|läkare|läkaren"
    r"|radiolog(?:en)?|röntgenläkare\w*|patolog(?:en)?|kirurg(?:en)?|onkolog(?:en)?|neurolog(?:en)?|kardiolog(?:en)?"
    r"|ortoped(?:en)?|urolog(?:en)?|ssk|sjuksköterska\w*|sjuksköt|sköterska\w*|syster|usk|undersköterska\w*|rtg-?ssk"
    r"|röntgensjuksköterska\w*|bma|barnmorska\w*|fysioterapeut\w*|sjukgymnast\w*|kurator\w*|psykolog\w*|tandläk(?:are)?"
    r"|sekreterare\w*|sekr|sjukhusfysiker\w*|herr|fru|fröken|patienten|pat|physician|doctor|nurse"
    r"|radiologist|sonographer|technologist|operator|chefsläkare\w*|distriktsläkare\w*|husläkare\w*"
)
_SHORT = r"[Dd]ra?|[Mm]rs?|[Mm]s|Miss|[Hh]r|[Uu]l|[Pp]t|[Bb]m"
"""Titles that in capitals are something else: MR, MS, UL, DR."""
_KIN = (
    r"hustrun?|maken?|makan|frun|mannen|sambon?|dottern?|sonen?|modern?|mamman?|fadern?|pappan?|brodern?|systern|anhörig"
    r"|närstående|kontaktperson\w*|god\sman|husband|wife|son|daughter|mother|father"
)
_ROLES = (
    r"remittent|remitterande(?:\släkare)?|remitterad\sav|inremitterande|svarande(?:\släkare)?|svar\sav|granskad\sav"
    r"|granskande|granskat\sav|dikterad\sav|dikterat\sav|dikterande|signerad\sav|signerat\sav|signerat|signatur|sign|sig"
    r"|vidimerat\sav|vidimerad\sav|utförd\sav|utfört\sav|ansvarig(?:\släkare)?|behandlande\släkare|bedömt\sav|bedömd\sav"
    r"|konsult|konsulterad|kontrasignerat\sav|skriven\sav|skrivet\sav|opererad\sav|operatör|assistent|undersökare"
    r"|utlåtande\sav|kopia\still|svar\still|attn|namn|efternamn|förnamn|patientnamn|patient|name|reported\sby"
    r"|read\sby|signed\sby|dictated\sby|verified\sby|approved\sby|referred\sby|referring(?:\sphysician)?|requested\sby"
    r"|performed\sby|reviewed\sby|electronically\ssigned\sby|ordered\sby|signed|reviewer|reader|author"
)
_GREETINGS = (
    r"mvh|med\s(?:vänlig|vänliga|bästa|hjärtliga)\shälsning(?:ar)?|vänliga?\shälsning(?:ar)?|hälsningar|hälsn|vh|hej|hejsan"
    r"|bästa|tack|kind\sregards|best\sregards|regards|sincerely|yours|dear|hi|hello|/s|//|hlsn"
)

_UPPER = r"[^\W\d_a-zåäöéüøæ]"
_WORD = rf"{_UPPER}[^\W\d_]*(?:[-'’´]{_UPPER}?[^\W\d_]+)*"
_PARTICLE = r"(?:von|van|af|av|de|del|della|der|den|di|da|dos|la|le|el|al|bin|ibn|ter|ten|och|o|&|and)"
_INITIAL, _SHOUTED = rf"{_UPPER}\.?(?![^\W\d_])", rf"{_UPPER}{{5,}}(?![^\W\d_])"
_PROPER = rf"{_UPPER}(?!{_UPPER}+(?![^\W\d_]))[^\W\d_]+(?:[-'’´][^\W\d_]+)*"
_MORE = rf"(?:{_INITIAL}|{_SHOUTED}|{_PROPER})"  # no acronym: "dr Ring DT thorax"
_NAME = rf"(?:{_PARTICLE}[ \t])?{_WORD}(?:\.?[ \t\x01]{{0,2}},?[ \t]?(?:{_PARTICLE}[ \t])?{_MORE}){{0,3}}"
_GAP = r"[ \t]{0,2}[:.,]?[ \t]{0,3}"
_ROLE_GAP = r"[ \t]{0,2}(?:\.[ \t]*)?[:/=]?[ \t]{0,3}"
_START = r"(?<![^\W_])"


def _before_name(words: str, gap: str) -> re.Pattern[str]:
    return re.compile(rf"{_START}{words}{gap}(?P<name>{_NAME})")


_BEFORE = (
    _before_name(rf"(?:{_SHORT}|(?i:{_TITLES}))", _GAP),
    _before_name(rf"(?i:{_KIN})", r"[ \t]{1,2}(?:heter[ \t])?"),
    _before_name(rf"(?i:{_ROLES})", _ROLE_GAP),
    re.compile(rf"(?:{_START}(?i:{_GREETINGS}))[,!.:\s]{{0,4}}(?P<name>{_NAME})"),
)
_DEGREES = (
    r"md|phd|med\.?\s?dr|leg\.?\s?läk\w*|spec\.?\s?läk\w*|överläkare|öl|specialistläkare|ssk|st-läkare|läkare"
    r"|docent|professor|radiolog"
)
_INITIALS = rf"{_UPPER}{{2,4}}|{_UPPER}[ .]{{1,2}}{_UPPER}\.?"
_SIGNATURES = (
    re.compile(rf"(?<![\w/])/{{1,2}}[ \t]?(?P<name>[^\W\d_]{{1,4}}|{_NAME})[ \t]*/?[ \t]*(?=$|\n|[.,;])"),
    re.compile(rf"(?:^|\n|[.!?][ \t])(?P<name>{_INITIALS})[ \t.]*(?=$|\n)"),
    re.compile(rf"(?P<name>{_NAME}),?[ \t]{{1,2}}(?i:{_DEGREES})(?![^\W_])"),
    re.compile(
        rf"(?P<name>{_NAME})[ \t]?\((?i:[^()\n]{{0,20}}(?:läk|ssk|öl|dr|radiolog|usk)[^()\n]{{0,20}})\)"
    ),
)
_LOWER = re.compile(
    rf"{_START}(?:{_SHORT}|(?i:{_TITLES}|{_ROLES}|{_GREETINGS})){_ROLE_GAP}(?P<name>[^\W\d_]{{2,}})"
)


def names_by_place(text: str) -> Iterator[Found]:
    """Names behind or before what goes with a name; places may overlap."""
    read = plain(text)
    for pattern in (*_BEFORE, *_SIGNATURES):
        for match in pattern.finditer(read):
            yield Found(match.start("name"), match.end("name"), "name")


def after_titles(text: str) -> frozenset[int]:
    """Where words stand before which a title, a role or a greeting does, whatever their case."""
    return frozenset(match.start("name") for match in _LOWER.finditer(plain(text)))
