"""What the benches of the rooms behind a socket share; see ../../README.md."""
