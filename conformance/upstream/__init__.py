"""Runs Django's own cache tests over our cache classes. Start reading at `run.py`."""
