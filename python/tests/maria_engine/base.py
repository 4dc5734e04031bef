"""Where Django looks for the class of an ENGINE."""

from __future__ import annotations

from packages import need_package

_driver = need_package("pymysql")
# Django asks for a release of mysqlclient; PyMySQL answers as one.
_driver.version_info = (2, 2, 7, "final", 0)
_driver.__version__ = "2.2.7"
_driver.install_as_MySQLdb()

from django.db.backends.mysql.base import DatabaseWrapper  # noqa: E402

__all__ = ["DatabaseWrapper"]
