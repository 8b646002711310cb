"""When assets refresh on their own. Conditions are named here and used by name in the specs.

https://docs.dagster.io/guides/automate/declarative-automation
"""

from __future__ import annotations

import dagster as dg

ONCE_UPSTREAM_IS_SOUND = (
    dg.AutomationCondition.eager() & dg.AutomationCondition.all_deps_blocking_checks_passed()
).with_label("once_upstream_is_sound")
"""Delivery by delivery: as soon as the stage before has written, and its blocking checks have passed."""

AFTER_EACH_DELIVERY = (
    dg.AutomationCondition.any_deps_match(dg.AutomationCondition.newly_updated()).since(
        dg.AutomationCondition.newly_requested()
    )
    & ~dg.AutomationCondition.any_deps_in_progress()
    & ~dg.AutomationCondition.in_progress()
).with_label("after_each_delivery")
"""Fan-in of all deliveries, as soon as those under way are done.

Not made from ``eager``: that never fires while any delivery is missing or held, which is always; and it forgets a
delivery that comes between two ticks right after a request. ``since`` compares times, and so keeps it, only where
trigger and reset are plain conditions (1.13: ``&`` and ``|`` don't pass times on).
"""

REFINEMENT_AUTOMATION = dg.AutomationConditionSensorDefinition(
    "refinement_automation",
    target=dg.AssetSelection.all(),
    default_status=dg.DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=30,
    description="Refreshes refined and curated assets when what they are made of has changed and is sound.",
)
