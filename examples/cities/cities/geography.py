"""Distances on the globe, computed by the database row by row: no index helps, so it costs."""

from __future__ import annotations

from math import cos, radians, sin

from django.db.models import F, FloatField, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import ACos, Cos, Greatest, Least, Radians, Sin

EARTH_RADIUS = 6371.0  # kilometres


def kilometres_from(latitude: float, longitude: float) -> Combinable:
    """The great-circle distance of each row's latitude and longitude from this point."""
    here = radians(latitude)
    there = Radians(F("latitude"))
    turn = Radians(F("longitude")) - Value(radians(longitude))
    cosine = Sin(there) * Value(sin(here)) + Cos(there) * Value(cos(here)) * Cos(turn)
    bounded = Least(Value(1.0), Greatest(Value(-1.0), cosine))  # rounding can step outside
    return ACos(bounded, output_field=FloatField()) * Value(EARTH_RADIUS)
