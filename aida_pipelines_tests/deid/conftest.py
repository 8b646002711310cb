"""Profiles, a key, and instances to work on."""

from io import BytesIO
from pathlib import Path

import pydicom
import pydicom.data
import pytest

from aida_pipelines.contracts.load import load_contracts
from aida_pipelines.contracts.profile import DeidProfile
from aida_pipelines.contracts.vocabulary import load_vocabulary
from aida_pipelines.deid.descriptors import DescriptorCleaner
from aida_pipelines.deid.devices import DeviceCleaner
from aida_pipelines.deid.engine import Deidentifier
from aida_pipelines.deid.pseudonym import Pseudonyms
from aida_pipelines.deid.verify import Verifier
from aida_pipelines.dicom.encode import encode_element, encode_file_meta
from aida_pipelines.dicom.parse import EXPLICIT, EXPLICIT_LITTLE

CHECKOUT = Path(__file__).parents[2]
CONTRACTS = CHECKOUT / "data_contracts"
CT = "1.2.840.10008.5.1.4.1.1.2"


def load_profile(name: str) -> DeidProfile:
    return load_contracts(CONTRACTS).profile(name)


@pytest.fixture(scope="session")
def tokens():
    return frozenset(load_vocabulary(CONTRACTS / "vocabularies" / "descriptor_tokens.csv").terms)


@pytest.fixture(scope="session")
def device_tokens():
    return frozenset(load_vocabulary(CONTRACTS / "vocabularies" / "device_tokens.csv").terms)


@pytest.fixture(scope="session", params=["basic", "research-longitudinal"])
def any_profile(request):
    return load_profile(request.param)


@pytest.fixture(scope="session")
def basic():
    return load_profile("basic")


@pytest.fixture(scope="session")
def research():
    return load_profile("research-longitudinal")


@pytest.fixture(scope="session")
def profiles():
    """All shipped profiles by name."""
    return load_contracts(CONTRACTS).profiles


@pytest.fixture(scope="session")
def pseudonyms():
    return Pseudonyms(bytes(range(32)), "tests")


@pytest.fixture(scope="session")
def cleaners(tokens, device_tokens):
    """What keeps descriptions' words, and what devices write."""
    return DescriptorCleaner(tokens), DeviceCleaner(tokens | device_tokens)


@pytest.fixture(scope="session")
def deidentifier(pseudonyms, cleaners):
    """``deidentifier(profile)``: a de-identifier under the tests' key."""
    return lambda profile: Deidentifier(profile, pseudonyms, *cleaners, issuer="site")


@pytest.fixture(scope="session")
def verifier(tokens):
    return lambda profile: Verifier(profile, tokens)


@pytest.fixture(scope="session")
def bundled():
    """Files that pydicom's wheel carries."""
    return Path(pydicom.data.__file__).parent / "test_files"


@pytest.fixture(scope="session")
def dev_data():
    """The development data beside the checkout; tests that ask for it are marked ``shared``."""
    folder = CHECKOUT.parent / "shared" / "data" / "dev"
    if not folder.is_dir():
        pytest.skip("needs the development data in ../shared/data/dev")
    return folder


@pytest.fixture(scope="session")
def instance():
    """``instance(elements)``: a CT instance as bytes, with these elements (tag → VR, bytes) beside its identity."""

    def make(elements=(), *, sop_class=CT):
        identity = {
            0x00080016: ("UI", sop_class.encode()),
            0x00080018: ("UI", b"1.2.752.1.1.3"),
            0x00080060: ("CS", b"CT"),
            0x00100010: ("PN", b"Svensson^Anna"),
            0x00100020: ("LO", b"19121212-1212"),
            0x0020000D: ("UI", b"1.2.752.1.1.1"),
            0x0020000E: ("UI", b"1.2.752.1.1.2"),
        }
        every = identity | dict(elements)
        body = b"".join(encode_element(tag, *every[tag], EXPLICIT) for tag in sorted(every))
        return encode_file_meta(sop_class, "1.2.752.1.1.3", EXPLICIT_LITTLE) + body

    return make


@pytest.fixture(scope="session")
def read():
    """``read(result)``: a de-identified header as pydicom reads it."""
    return lambda result: pydicom.dcmread(BytesIO(result.header))
