"""Databases for tests that ask for one: the same for the whole run."""

from __future__ import annotations

import pytest

import database_servers


@pytest.fixture(scope="session")
def postgres_server() -> database_servers.PostgresServer:
    """A PostgreSQL."""
    return database_servers.postgres()


@pytest.fixture(scope="session")
def maria_server() -> database_servers.MariaServer:
    """A MariaDB."""
    return database_servers.maria()
