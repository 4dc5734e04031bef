"""Small Python programs in processes of their own, none of which may hang."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import databases

TESTS = Path(__file__).parent

PREPARED = """
import sys
sys.path.insert(0, {tests!r})
from django.conf import settings
site = {site!r}
settings.configure(**site)
import django
django.setup()
from django.core.cache import cache, caches
"""


def run(
    program: str,
    caches: dict[str, Any] | None = None,
    limit: float = 30,
    silent: bool = False,
) -> str:
    """Run a program and give what it printed. With ``caches`` Django is set up before it: ``site``.

    With ``silent`` it may say nothing on its standard error, where warnings go that nobody can catch.
    """
    text = textwrap.dedent(program)
    if caches is not None:
        text = PREPARED.format(tests=str(TESTS), site=databases.site(caches)) + text
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", text],
        capture_output=True,
        text=True,
        timeout=limit,
        check=False,
    )
    assert done.returncode == 0, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    assert not silent or done.stderr == "", done.stderr
    return done.stdout
