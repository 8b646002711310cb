"""What all tests share: servers to talk to, and small zones to work on."""

pytest_plugins = ["aida_pipelines_tests.servers", "aida_pipelines_tests.zones"]
