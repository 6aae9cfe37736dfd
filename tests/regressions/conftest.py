"""The unit tests' market and their staking and committee fixtures, for the tests here."""

from tests.unit.conftest import *  # noqa: F403 - fixtures
from tests.unit.conftest import (  # noqa: F401 - fixtures
    _contracts_first,
    _isolated,
    _session_first,
)
from tests.unit.oracle_committee.conftest import (  # noqa: F401 - fixtures
    check,
    consumer,
    deploy_committee,
    sign_report,
)
from tests.unit.provider_staking.conftest import (  # noqa: F401 - fixtures
    alice,
    bob,
    owner,
    provider,
    purses,
    registered,
    reporter,
    slash,
    slasher,
    solvent,
    state,
    victim,
)
