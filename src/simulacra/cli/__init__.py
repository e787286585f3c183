"""Step 11, the command line: one file per verb; errors are one line on stderr and exit code 2."""

from .app import main

__all__ = ["main"]
