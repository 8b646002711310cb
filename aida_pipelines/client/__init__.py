"""Find, query, pull and verify datasets: what a downstream team imports.

    import aida_pipelines.client as aida

    aida.datasets()
    ds = aida.load("reference-images@1.0.0")
    ds.series.filter(pl.col("modality") == "MR").collect()
    ds.sql("SELECT body_part, count(*) FROM series GROUP BY ALL")
    ds.pull("images", format="nifti", where="slice_spacing_mm <= 3")

``catalogue``   which datasets there are
``release``     what a release says of itself (``release.json``)
``dataset``     one release: its tables, queries over them
``pull``        its files, on this machine
``verify``      every byte of it against its hashes
``compare``     what changed between two releases (``difference``: how that is counted)
``query``       SQL over all collections
``explain``     the chain of an id back to its delivery
``sandbox``     DuckDB that can read the tables it was given and nothing else

Belongs here: reading the curated zone. It imports neither Dagster nor a DICOM library nor any stage, so that
``pip install aida-pipelines`` without extras is enough.
"""

from __future__ import annotations

from aida_pipelines.client.catalogue import datasets
from aida_pipelines.client.compare import diff
from aida_pipelines.client.dataset import Dataset, load
from aida_pipelines.client.difference import Difference
from aida_pipelines.client.query import query

__all__ = ["Dataset", "Difference", "datasets", "diff", "load", "query"]
