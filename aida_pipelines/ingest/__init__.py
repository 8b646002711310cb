"""Stage 1: take a delivery into the raw zone and say what each of its files is.

``receive``      `aida deliver`: a folder, archive or bucket → objects, manifest, delivery record
``sources``      what can be delivered, and what is refused
``journal``      what a delivery that did not come to its end leaves behind, and who clears it away
``deliveries``   the record of a delivery
``stage``        raw ingest: manifest → table ``files``
``decisions``    a steward's decisions on what is held
"""
