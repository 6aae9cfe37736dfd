"""The fixtures of tests/unit/subnets.py."""

from tests.unit.subnets import *  # noqa: F403 - fixtures
