"""Words that the standard puts into coded values (VR CS): there they name nobody, whatever a patient is called.

Only those that are letters from end to end and may be somebody's name or a test's, and no list of the first path's.
"""

from __future__ import annotations

TERMS = frozenset(
    # Value Type, Relationship Type, Continuity of Content (PS3.3 C.17.3), Graphic Type (C.18.6, C.10.5)
    """
    TEXT NUM CODE DATE TIME DATETIME UIDREF PNAME COMPOSITE IMAGE WAVEFORM SCOORD TCOORD CONTAINER TABLE
    CONTAINS PROPERTIES INFERRED FROM SELECTED HAS MOD SEPARATE CONTINUOUS
    POINT MULTIPOINT POLYLINE POLYGON CIRCLE ELLIPSE ELLIPSOID SEGMENT MULTISEGMENT BEGIN END
    COMPLETE PARTIAL PRELIMINARY FINAL VERIFIED UNVERIFIED
    ORIGINAL DERIVED PRIMARY SECONDARY AXIAL LOCALIZER VOLUME MIXED OTHER NONE UNKNOWN
    PIXEL DISPLAY MANUAL AUTOMATIC SEMIAUTOMATIC BINARY FRACTIONAL PATIENT SPECIMEN
    """.split()  # noqa: SIM905 - a list would be a page long
)
