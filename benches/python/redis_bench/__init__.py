"""The benches of the redis room: a server of their own, the peers, the rows; see ../../README.md."""
