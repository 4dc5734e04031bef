"""The benches of the database room: databases of their own, the rows; see ../../README.md."""
