"""Dagster, and nothing else: how the stages are shown, started, checked and repeated.

Modules with ops do without ``from __future__ import annotations``: Dagster reads the annotations of a context.
One concept a file, named after it. What belongs here: asset specs and the few lines that call a stage, checks,
sensors, jobs, resources, metadata for the UI. What doesn't: anything that could be used from a notebook without
Dagster; that lives in the stage packages. Concepts: https://docs.dagster.io/guides/build/assets
"""
