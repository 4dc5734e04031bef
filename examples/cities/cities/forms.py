"""The two forms: a city, and a single cache call."""

from __future__ import annotations

from django import forms
from django.core.validators import RegexValidator

from .models import City

plain_key = RegexValidator(r"^[\w.:-]+\Z", "Letters, digits and _ . : - only.")


class CityForm(forms.ModelForm):
    class Meta:
        model = City
        fields = ("name", "population")


class TryForm(forms.Form):
    """One cache call. ``clear`` needs no key."""

    operation = forms.ChoiceField(
        choices=[(word, word) for word in ("get", "set", "delete", "clear")]
    )
    key = forms.CharField(
        max_length=100, required=False, initial="greeting", validators=[plain_key]
    )
    value = forms.CharField(max_length=1000, required=False, initial="Hello", help_text="for set")
    timeout = forms.IntegerField(
        min_value=0,
        max_value=86400,
        required=False,
        help_text="for set, in seconds; empty is the default, 0 stores nothing",
    )
    default = forms.CharField(
        max_length=100, required=False, initial="Not Found", help_text="for get, on a miss"
    )

    def clean(self) -> dict[str, object]:
        cleaned = super().clean() or {}
        if cleaned.get("operation") != "clear" and not cleaned.get("key"):
            self.add_error("key", "This call needs a key.")
        return cleaned
