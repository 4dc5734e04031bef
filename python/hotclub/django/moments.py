"""Deadlines and the time of day, as the column of a table has them and as Django compares them."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from django.conf import settings

#: A deadline that is later, in seconds since 1970, is none: the year 9999 is over in some place of the world.
LAST = datetime(9999, 12, 31, tzinfo=UTC).timestamp()


def end_at(connection: Any, end: float | None, precision: str) -> Any:
    """A deadline in seconds since 1970, in the column. What is beyond all dates is never, or over."""
    # Not "end > LAST": that is False of what is no number.
    if end is None or not end < LAST:
        moment = datetime.max
    else:
        moment = datetime.fromtimestamp(max(end, 0), tz=UTC if settings.USE_TZ else None)
    if precision == "seconds" or moment == datetime.max:
        moment = moment.replace(microsecond=0)
    return connection.ops.adapt_datetimefield_value(moment)


def now_in(connection: Any, ago: float = 0) -> Any:
    """This moment, or an earlier one, to be compared with the column by its own clock."""
    # None where USE_TZ is not set.
    zone = connection.timezone
    now = datetime.fromtimestamp(time.time() - ago, UTC if zone else None)
    if zone and not connection.features.supports_timezones:
        # In UTC, the default, the column has what Django would make of it.
        now = now.replace(tzinfo=None) if zone is UTC else without_fold(now, zone)
    return connection.ops.adapt_datetimefield_value(now)


def without_fold(now: datetime, zone: tzinfo) -> datetime:
    """The moment that columns without a zone are compared with, where clocks are set back.

    Of an hour that comes twice they say nothing but its time of day, and Django takes it for the first. So
    as long as the second lasts, what ends within the hour is over, and no more: the moment is its end.
    """
    local = now.astimezone(zone)
    if not local.fold:
        return now
    offset = local.utcoffset()
    before, after = now - timedelta(days=1), now
    # Clocks are set on whole seconds.
    while after - before > timedelta(seconds=1):
        middle = before + (after - before) / 2
        is_after = middle.astimezone(zone).utcoffset() == offset
        before, after = (before, middle) if is_after else (middle, after)
    turned = after.replace(microsecond=0)
    first = (turned - timedelta(seconds=2)).astimezone(zone).utcoffset()
    # By the clock as it was before, read by the clock as it is now.
    return turned + ((first or timedelta()) - (offset or timedelta()))
