"""The benches of the embedded store: files of their own, the peers, the rows; see ../../README.md."""
