"""Ways to reach or place somebody in text: mail, web and computer addresses, telephones, HSA-ids, streets, postcodes.

Forms of the Swedish numbering plan (PTSFS: area codes of two to four digits with the leading zero), of E.164, of
Inera's HSA-id (``SE``, organisation number, ``-``, up to 31 characters) and of Swedish addresses. A telephone number
needs a sign of being one: a leading zero or ``+`` and seven digits or more, or a word for it before fewer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from aida_pipelines.deid.text.found import Found
from aida_pipelines.deid.text.plain import plain

_GAP = r"[\ \-/.()\x01]{0,3}"
_PHONE_WORD = (
    r"(?:tel(?:efon|e?fax)?|phone|mobil|mob|fax|tfn|tlf|sökare|sokare|jour|ankn|anknytning|växel|vaxel)"
)
_STREETS = (
    "gatan|gata|vägen|väg|vagen|vag|gränden|gränd|granden|grand|torget|torg|plan|allén|allé|allen|alle|stigen|stig|"
    "backen|backe|esplanaden|kajen|leden|stranden|strand|platsen|plats|gården|gard|garden|liden|höjden|hojden|"
    "parken|promenaden|ringen|slingan|svängen|svangen|udden|viken"
)

_DOT = r"(?:\.|\(dot\)|\[dot\]|\(punkt\))"
_BYTE = r"(?:25[0-5]|2[0-4]\d|1?\d?\d)"
_TOP_LEVEL = "se|nu|com|org|net|eu|no|dk|fi|de|uk|info|io|invalid|example"
_CAPITAL = "(?-i:[A-ZÅÄÖÉÜ])"

_PATTERNS = tuple(
    (kind, re.compile(pattern, re.IGNORECASE | re.VERBOSE))
    for kind, pattern in (
        (
            "mail",
            rf"""[^\s@<>()\[\]\",;:]{{1,64}} \s? (?: @ | \(at\) | \[at\] | \(a\) | \[a\] ) \s?
            [\w\-]+ (?: \s?{_DOT}\s? [\w\-]+ )+""",
        ),
        ("web", r"""(?: [a-z][a-z0-9+.\-]{1,15}:// | www\. ) [^\s<>"]+"""),
        (
            "web",
            rf"""(?<![\w@.\-]) (?: [a-z0-9](?:[a-z0-9\-]{{0,61}}[a-z0-9])?\. )+ (?:{_TOP_LEVEL})
            (?:/\S*)? (?![\w\-])""",
        ),
        ("computer", rf"(?<![\d.]) (?:{_BYTE}\.){{3}} {_BYTE} (?!\.?\d)"),
        ("computer", r"(?<![0-9a-f:]) (?:[0-9a-f]{2}[:\-]){5} [0-9a-f]{2} (?![0-9a-f:])"),
        ("computer", r"(?<![0-9a-f:]) (?:[0-9a-f]{1,4}:){4,7} :?[0-9a-f]{1,4} (?![0-9a-f:])"),
        (
            "hsa-id",
            rf"(?<![a-z]) SE {_GAP} (?:\d{_GAP}){{10}} -? {_GAP} [a-z0-9]{{1,31}} (?![a-z0-9])",
        ),
        ("telephone", rf"(?<![\d.,]) (?:\+|00) {_GAP} [1-9] (?:{_GAP}\d){{6,13}} (?!\d)"),
        ("telephone", rf"(?<![\d.,]) 0[1-9] (?:{_GAP}\d){{5,10}} (?!\d)"),
        (
            "telephone",
            rf"(?<!\w) {_PHONE_WORD} [.:]? \s{{0,3}} (?:nr\.?:?\s?)? \d (?:{_GAP}\d){{2,13}} (?!\d)",
        ),
        (
            "street",
            rf"(?<!\w) (?:{_CAPITAL}[\w:\-]*\s){{1,3}} (?:{_STREETS}) \s{{1,2}} \d{{1,4}} \s?[a-z]? (?!\w)",
        ),
        ("street", rf"(?<!\w) [\w:\-]{{2,}} (?:{_STREETS}) \s{{1,2}} \d{{1,4}} \s?[a-z]? (?!\w)"),
        ("street", r"(?<!\w) (?: box | boxadress | lgh | lägenhet | c/o ) \s? \d{1,5} (?!\w)"),
        (
            "postcode",
            rf"""(?<![\w.,]) (?:SE?-\s?)? [1-9]\d{{2}} \s \d{{2}} \s{{1,2}} {_CAPITAL}[A-Za-zÅÄÖåäö\-]{{2,}}
            (?: \s (?-i:[A-ZÅÄÖ]{{2,}}) )?""",
        ),
        (
            "position",
            r"(?<![\d.]) [56]\d\.\d{3,} \s?°?\s?N? [,;\s] \s? [12]\d\.\d{3,} \s?°?\s?[EÖO]? (?!\d)",
        ),
    )
)


def contacts(text: str) -> Iterator[Found]:
    """Every address of the kinds above; places may overlap."""
    read = plain(text)
    for kind, pattern in _PATTERNS:
        for match in pattern.finditer(read):
            yield Found(match.start(), match.end(), kind)
