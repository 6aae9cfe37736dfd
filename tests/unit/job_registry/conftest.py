"""The market of tests/unit/market.py."""

from tests.unit.market import *  # noqa: F403 - fixtures
from tests.unit.market import _wired  # noqa: F401 - a fixture
