"""What runs and materialisations are split by.

Deliveries, and deliveries only: never studies or instances. Automation evaluates every key on every tick (3.6 s at
10,000 keys), and the unit that a steward thinks in, re-runs and withdraws is the delivery. Keys are only ever added:
deleting one under a run makes its finished work fail. https://docs.dagster.io/guides/build/partitions-and-backfills
"""

from __future__ import annotations

import dagster as dg

from aida_pipelines.contracts.models import Contracts

DELIVERIES = dg.DynamicPartitionsDefinition(name="deliveries")


def collections(contracts: Contracts) -> dg.StaticPartitionsDefinition:
    """One partition for each collection's contract; a new contract needs a reload of the code location."""
    return dg.StaticPartitionsDefinition(sorted(contracts.collections))
