# Run by xtask with each interpreter that it finds: prints what that interpreter is.
import json
import platform
import sys
import sysconfig

try:
    import ensurepip  # noqa: F401  (Debian packages it apart)
    import venv  # noqa: F401

    can_make_venvs = True
except ImportError:
    can_make_venvs = False

print(
    json.dumps(
        {
            "path": sys.executable,
            "version": list(sys.version_info[:3]),
            "cpython": platform.python_implementation() == "CPython",
            "released": sys.version_info[3] == "final",
            "free_threaded": bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
            "can_make_venvs": can_make_venvs,
        }
    )
)
