"""Analytics over the refined zone: SQL over its tables as they are, and one DuckDB file for notebooks.

``query``  one question over every table of all deliveries
``build``  ``warehouse/aida.duckdb``, made anew when a receipt or a release has changed

Belongs here: reading tables of all deliveries at once. What the tables say is the stages' matter.
"""
