"""Our de-identifier as the benchmark runs it: header, pixel bytes, both hashes; verified if asked for."""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path

from aida_pipelines.parallel import ordered_map

_SMALL = 16 << 20
_worker: _Worker


class _Worker:
    """What a process needs; imported where the work is done, not where it is handed out."""

    def __init__(self, dst: Path, verify: bool) -> None:
        from aida_pipelines.deid.descriptors import DescriptorCleaner
        from aida_pipelines.deid.devices import DeviceCleaner
        from aida_pipelines.deid.fast import FastDeidentifier
        from aida_pipelines.deid.pseudonym import Pseudonyms
        from benchmarks.setting import device_tokens, profile_and_tokens

        profile, tokens = profile_and_tokens("research-longitudinal")
        self._deidentify = FastDeidentifier(
            profile,
            Pseudonyms(bytes(range(32)), "bench"),
            DescriptorCleaner(tokens),
            DeviceCleaner(tokens | device_tokens()),
            issuer="bench",
        )
        self._dst, self._verifier = dst, None
        if verify:
            from aida_pipelines.deid.verify import Verifier

            self._verifier = Verifier(profile, tokens)

    def __call__(self, numbered: tuple[int, Path]) -> tuple[str, str]:
        from aida_pipelines.storage.objects import mapped

        number, path = numbered
        source = path.read_bytes() if path.stat().st_size < _SMALL else mapped(path)
        result = self._deidentify.deidentify(source)
        if self._verifier is not None:
            self._verifier.verify(result)
        before, after = hashlib.sha256(source), hashlib.sha256()
        with (self._dst / f"{number}.dcm").open("wb", buffering=0) as file:
            for part in result.parts:
                after.update(part)
                file.write(part)
        return before.hexdigest(), after.hexdigest()


def _open(dst: Path, verify: bool) -> None:
    global _worker  # noqa: PLW0603 - one for each process, made by the pool's initializer
    _worker = _Worker(dst, verify)


def _work(numbered: tuple[int, Path]) -> tuple[str, str]:
    return _worker(numbered)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("src", type=Path)
    parser.add_argument("dst", type=Path)
    parser.add_argument("--verify", action="store_true")
    parser.add_argument("--workers", type=int, default=1)
    arguments = parser.parse_args()
    hashes = ordered_map(
        _work,
        enumerate(sorted(arguments.src.rglob("*.dcm"))),
        workers=arguments.workers,
        initializer=_open,
        initargs=(arguments.dst, arguments.verify),
        preload=(
            "aida_pipelines.deid.fast",
            "benchmarks.setting",
            *(["aida_pipelines.deid.verify"] if arguments.verify else []),
        ),
    )
    for _ in hashes:
        pass


if __name__ == "__main__":
    from benchmarks.ours import main as importable_main

    importable_main()
