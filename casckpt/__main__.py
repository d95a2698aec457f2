"""`python -m casckpt` is `casckpt`.

Imports: cli.
"""

import sys

from casckpt.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
