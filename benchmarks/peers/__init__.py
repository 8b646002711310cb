"""Drivers and recipes of the tools that are measured beside ours."""
