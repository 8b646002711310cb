"""Stage 4, quality checks: do tables meet their contracts, do series and volumes meet their collection's gates?

``contract_checks``  a table against its contract: structure by Polars, values by Great Expectations
``expectations``     the bridge to Great Expectations, imported only where it is used
``checks``           what gates measure: one function each, with its unit
``stage``            the gates of a collection, run on a delivery

Belongs here: running what contracts ask for. Doesn't: what contracts may ask for (``contracts``).
"""
