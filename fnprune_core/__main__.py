"""Run the command line with ``python -m fnprune_core``."""

from fnprune_core.cli import main

if __name__ == "__main__":
    main()
