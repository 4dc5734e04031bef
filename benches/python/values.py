"""What is stored: small text, a row as an ORM gives it, a large body."""

from __future__ import annotations

import datetime
import decimal
import pickle
from typing import Any

TEXT = "Minor Swing"
BODY = bytes(range(256)) * 400

#: About a kilobyte pickled, of the types that JSON has: a row of ``QuerySet.values()`` made ready to send.
ROW: dict[str, Any] = {
    "id": 481_516,
    "username": "django.reinhardt",
    "email": "django.reinhardt@quintette-du-hot-club.example",
    "first_name": "Jean",
    "last_name": "Reinhardt",
    "is_active": True,
    "is_staff": False,
    "date_joined": "1934-12-02T20:30:00+01:00",
    "last_login": "1953-05-15T23:59:59+02:00",
    "balance": 1910.23,
    "visits": 14_223,
    "rating": 4.9,
    "language": "fr",
    "timezone": "Europe/Paris",
    "avatar": "https://static.quintette-du-hot-club.example/avatars/0481516.webp",
    "biography": "Guitarist and composer; two fingers and a new music. " * 7,
    "address": {"street": "14 rue Chaptal", "city": "Paris", "postcode": "75009", "country": "FR"},
    "instruments": ["guitar", "banjo", "violin"],
    "groups": [3, 14, 159, 2653],
    "referrer": None,
}
#: The same with types that the codec leaves to pickle.
ROW_WITH_DATES = ROW | {
    "date_joined": datetime.datetime(1934, 12, 2, 20, 30, tzinfo=datetime.UTC),
    "balance": decimal.Decimal("1910.23"),
}

assert 900 < len(pickle.dumps(ROW, pickle.HIGHEST_PROTOCOL)) < 1200
