"""Runs Django's own cache tests, or those of a package that lives on the cache, over one of our classes.

    python conformance/upstream/run.py --python VENV_PYTHON --django 6.1.3 \\
        --kind locmem --backend hotclub.django.LocMemCache

The tests come from source distributions, which pip fetches once into `--work`. The last line is
`N passed, N failed, N skipped`; the exit code is 0 only if nothing failed and nothing is missing.
"""

import sys
from pathlib import Path

if __name__ == "__main__":
    # Started as a script: this folder becomes the package `upstream`, none of its files a top-level module.
    sys.path[0] = str(Path(__file__).resolve().parents[1])
    from upstream.command import main

    sys.exit(main())
