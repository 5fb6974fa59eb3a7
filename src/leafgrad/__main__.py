"""``python -m leafgrad``: see cli.py."""

from leafgrad.cli import main

main()
