"""What the benches share that go through Django's verbs, beside servers or files; see ../../README.md."""
