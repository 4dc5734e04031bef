"""The benches of the memcached room: servers of their own, the peers, the rows; see ../../README.md."""
