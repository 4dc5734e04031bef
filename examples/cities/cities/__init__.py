"""hotclub cities: tens of thousands of cities behind Django's cache framework."""
