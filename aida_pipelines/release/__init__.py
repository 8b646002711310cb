"""Stage 5: from checked deliveries to signed, immutable, versioned datasets.

``sources``    which deliveries of a collection are checked and current
``cohort``     which series of theirs the collection's contract selects
``tables``     a release's tables, as queries over what was selected
``candidate``  the dataset as it would be released now
``version``    the number that follows from what changed
``documents``  what is said of a release: card, changelog, Croissant, DataCite, HealthDCAT-AP
``publish``    a signed candidate, copied to the curated zone
``index``      the list of all releases

Belongs here: writing the curated zone. How it is read is ``client``'s, whose models of a release are used here.
"""
