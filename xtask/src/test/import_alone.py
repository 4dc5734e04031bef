# Run by `cargo xtask test` right after `pip install .`: nothing else is installed, Django neither.
import importlib.util

import hotclub
import hotclub._hotclub

assert importlib.util.find_spec("django") is None, "the environment was meant to be empty"
assert hotclub._hotclub.DEBUG_BUILD is False, "pip install must give a release build"
