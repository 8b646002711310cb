"""The second opinion on what is about to be published.

``pieces`` cuts data sets, ``leaves`` reads their values, ``identifiers`` says what in a source's gives a person away,
``traces`` what an output's say and whether that is among it; ``memory`` does each of it once. ``consistency`` and
``ledger`` compare, ``edges`` looks where encoders write comments; ``names``, ``days`` and ``numbers`` know how
these are written. ``deid.verify`` puts them together.

Nothing here imports the rules, the rewriting or the parser of the first path, so that a mistake there can't hide
itself here. What they share is the DICOM dictionary and the character sets (a library's), the profile with its
allow-list (contracts), and of the parsed source where its data set starts, how it is written and where the pixel
data lie.
"""
