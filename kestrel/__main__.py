"""``python -m kestrel`` is the command line: children are started this way, without a PATH look-up."""

from kestrel.cli import main

if __name__ == "__main__":
    main()
