"""Names: of deliveries, which must say nothing of anyone, and of delivered files, which may say anything."""

from __future__ import annotations

import os
import re
import unicodedata
from datetime import date

from aida_pipelines.errors import UsageError

_ID = re.compile(r"[a-z0-9][a-z0-9_-]{2,62}")
_PERSONAL_NUMBER = re.compile(r"(?<!\d)(?:\d{2})?(\d{6})[-_]?(\d{4})(?!\d)")
_DRIVE = re.compile(r"[A-Za-z]:")
_OPERATING_SYSTEM = re.compile(
    r"(^|/)(\.DS_Store|\._[^/]*|__MACOSX/.*|\.Spotlight-V100/.*|\.Trashes(/.*)?|\.fseventsd/.*"
    r"|Thumbs\.db|ehthumbs\.db|desktop\.ini|\$RECYCLE\.BIN/.*|System Volume Information/.*|\.directory)$",
    re.IGNORECASE,
)
"""What macOS, Windows and KDE leave in folders that they show."""
_UNSEEN = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"})
"""Unicode categories that a terminal obeys, reorders or hides instead of showing (UAX #44)."""


def check_delivery_id(text: str) -> str:
    """Return ``text`` if it may name a delivery, else raise.

    Raises:
        UsageError: It doesn't match ``^[a-z0-9][a-z0-9_-]{2,62}$``, or holds what is a valid personal
            number: a delivery's id is seen outside the raw zone.
    """
    if not _ID.fullmatch(text):
        raise UsageError(
            f"{text!r} can't be the id of a delivery.",
            way_out="Use 3 to 63 of a-z, 0-9, _ and -, the first a letter or digit; or leave --id out.",
        )
    if any(_is_personal_number(match[1] + match[2]) for match in _PERSONAL_NUMBER.finditer(text)):
        raise UsageError(
            "The id holds a personal number, and an id is seen outside the raw zone.",
            way_out="Choose an id that says nothing of a patient; or leave --id out.",
        )
    return text


def default_delivery_id(site: str, day: date, sequence: int) -> str:
    """``SITE_YYYYMMDD_SEQ``.

    Raises:
        UsageError: The site's name is too long or has other characters than an id.
    """
    made = f"{site}_{day:%Y%m%d}_{sequence}"
    if not _ID.fullmatch(made):
        raise UsageError(f"Site {site} has a name that gives no id.", way_out="Name the delivery with --id.")
    return made


def _is_personal_number(digits: str) -> bool:
    """YYMMDDNNNC with a possible date (day + 60 in coordination numbers) and the right check digit."""
    month, day = int(digits[2:4]), int(digits[4:6])
    if not (1 <= month <= 12 and (1 <= day <= 31 or 61 <= day <= 91)):
        return False
    doubled = (int(digit) * (2 - index % 2) for index, digit in enumerate(digits))
    return sum(product // 10 + product % 10 for product in doubled) % 10 == 0


def is_operating_systems(path: str) -> bool:
    """Whether a file that is nothing else is one of those; ``path`` is relative, with ``/``."""
    return _OPERATING_SYSTEM.search(path) is not None


def recorded_name(name: bytes | str) -> str:
    r"""A delivered file's name as the manifest keeps it: valid Unicode, on one line, and without loss.

    Bytes that are not UTF-8 become ``\xE5``, characters that are not seen ``\u202E``, a backslash two;
    every other character stays. Two names never become one.
    """
    text = (os.fsencode(name) if isinstance(name, str) else name).decode("utf-8", "surrogateescape")
    return "".join(map(_recorded, text))


def _recorded(character: str) -> str:
    point = ord(character)
    if character == "\\":
        return "\\\\"
    if 0xDC80 <= point <= 0xDCFF:  # surrogateescape: the byte that was no UTF-8
        return f"\\x{point - 0xDC00:02X}"
    if unicodedata.category(character) in _UNSEEN:
        return f"\\u{point:04X}" if point < 0x10000 else f"\\U{point:08X}"
    return character


def shown(recorded: str, limit: int = 160) -> str:
    """A recorded name for a message, its middle left out if it is long."""
    if len(recorded) <= limit:
        return f"'{recorded}'"
    half = (limit - 1) // 2
    return f"'{recorded[:half]}…{recorded[-half:]}'"


def leaves_the_archive(name: str) -> str | None:
    """Why an archive's member name can't be trusted; None if it is a plain relative path.

    Both separators count: an archive made on one system is unpacked on another.
    """
    if not name or "\0" in name:
        return "has no usable name"
    if name[0] in "/\\" or _DRIVE.match(name):
        return "has an absolute name"
    if ".." in re.split(r"[/\\]", name):
        return "leaves the archive: a part of its name is '..'"
    return None


def plain_path(name: str) -> str:
    """A member's name without the empty and ``.`` parts that some programs write (``./a//b`` → ``a/b``)."""
    return "/".join(part for part in name.split("/") if part not in ("", "."))
