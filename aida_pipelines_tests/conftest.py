"""What all tests share: servers to talk to."""

pytest_plugins = ["aida_pipelines_tests.servers"]
