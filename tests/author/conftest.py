"""These tests need TensorFlow: `make test` runs them in .venv-author. An environment without it collects none of them."""

from importlib.util import find_spec

collect_ignore_glob = [] if find_spec("tensorflow") else ["test_*.py"]
