"""What all tests share: servers to talk to, and small zones to work on."""

from hypothesis import settings

pytest_plugins = ["aida_pipelines_tests.servers", "aida_pipelines_tests.zones"]

# A busy machine is no defect: pytest-timeout ends what hangs, and no example is judged by its milliseconds.
settings.register_profile("no-deadline", deadline=None)
settings.load_profile("no-deadline")
