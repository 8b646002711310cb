"""Contracts: YAML that people sign, read into types that code relies on.

``load``          a folder of contracts → ``Contracts``; the only entry point that other packages need
``models``        ``Contracts``: all of them, by name
``site``          who delivers, under which limits
``collection``    what the clinical council asked for: cohort, approvals, gates, release
``table``         what holds for a table: columns, Arrow and Polars schemas, rules
``odcs``          the Open Data Contract Standard → ``table``
``profile``       de-identification profiles
``vocabulary``    terms and codes
``documents``     YAML with line numbers, and problems that name file, line and field

Belongs here: what a contract may say and whether it says it well. Doesn't: running it on data (``quality``),
and knowing any stage. Importing a module of this package imports neither Great Expectations nor pandas.
"""
