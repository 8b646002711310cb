"""Zones as object stores: the same few operations over a local folder and over S3, and what is kept in them.

``store``    the operations every store offers, and ``open_store(url)``
``local``    a folder
``s3``       a bucket and prefix
``objects``  content-addressed objects (``objects/SHA[:2]/SHA256.EXT``)
``tables``   Parquet, one file per delivery and table, put in place last
``receipts`` what a stage did to a delivery: the truth about what is done and what is stale
"""
