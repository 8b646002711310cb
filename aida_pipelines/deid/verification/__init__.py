"""The second opinion on what is about to be published: how it reads days and names.

Nothing here imports the rules, the rewriting or the parser of the first path, so that a mistake there can't
hide itself here; ``deid.verify`` puts the parts together. What they share is the DICOM dictionary (a
library's) and the profile with its allow-list (contracts).
"""
