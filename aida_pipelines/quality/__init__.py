"""Stage 4: whether tables meet their contracts, and images their collection's gates.

``stage``            reads what harmonisation wrote; writes `quality`
``checks``           what a gate measures: definition, unit, which side of the bound is good (pure)
``contract_checks``  a table against its contract: columns, types, missing values, keys, values
``expectations``     the bridge to Great Expectations

Belongs here: running what contracts say. Doesn't: what they may say (``contracts``), what Dagster shows
(``orchestration``). Great Expectations costs seconds to import and is imported where it validates, nowhere else.
"""
