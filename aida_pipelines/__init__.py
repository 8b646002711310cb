"""aida_pipelines: from hospitals' imaging deliveries to versioned datasets for AI.

Five stages, one package each: ``ingest`` → ``deid`` → ``harmonise`` → ``quality`` → ``release``.
They stand on ``dicom``, ``storage`` and ``contracts`` and know nothing of Dagster; ``orchestration`` is
the thin layer that shows them as Dagster assets, ``cli`` the ``aida`` command, ``client`` what
downstream teams import.
"""

__version__ = "0.1.0"
