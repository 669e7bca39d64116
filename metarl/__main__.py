"""The command line as `python -m metarl`."""

from metarl.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
