"""The benches of the file room: folders of their own, the peers, the rows; see ../../README.md."""
