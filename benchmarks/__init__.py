"""Commands that measure what the docs claim."""
