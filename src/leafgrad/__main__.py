"""``python -m leafgrad``: see cli/__init__.py."""

from leafgrad.cli import main

main()
