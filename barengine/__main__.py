"""``python -m barengine`` is the command ``barengine``."""

import sys

from barengine.cli import main

if __name__ == "__main__":
    sys.exit(main())
