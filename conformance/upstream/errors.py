"""What can stop a run before a test has said anything."""

from __future__ import annotations


class RunError(Exception):
    """The run cannot go on; the message says why and what to try."""


class ServerMissingError(RunError):
    """No server program on this machine: a skip on a laptop, a failure where CI is set."""
