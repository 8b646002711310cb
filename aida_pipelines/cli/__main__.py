"""``python -m aida_pipelines.cli``: the same as ``aida``, wherever the script was installed."""

from aida_pipelines.cli.main import main

main()
