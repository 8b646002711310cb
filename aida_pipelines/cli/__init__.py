"""The ``aida`` command: words on the way in, words on the way out, nothing between.

One module for each group of commands; each imports what it needs inside the command, so that ``aida --help`` is quick
and a downstream team's light installation runs the commands that are meant for it.
"""
