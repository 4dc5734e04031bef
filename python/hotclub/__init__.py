"""hotclub: a cache framework in Rust, with Django's API.

``hotclub.django`` holds the cache backends for ``CACHES``; this package holds what works with all of them.
"""

import warnings

from hotclub._hotclub import DEBUG_BUILD, __version__
from hotclub.tracing import Table, trace

__all__ = ["Table", "__version__", "trace"]

if DEBUG_BUILD:
    warnings.warn(
        "hotclub was built without optimisation: it works, but its speed says nothing. "
        "Build it with `pip install .` or `maturin build --release`.",
        RuntimeWarning,
        stacklevel=2,
    )
