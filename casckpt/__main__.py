"""`python -m casckpt` is `casckpt`.

Imports: cli.
"""

from casckpt.cli.main import main

if __name__ == "__main__":
    main()
