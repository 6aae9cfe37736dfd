"""ProviderRegistry's deployment: the bounds of the notice period."""

import boa
import pytest

from tests.unit.conftest import DAY, load


@pytest.mark.parametrize("notice", [1, 365 * DAY])
def test_bounds_are_inclusive(notice):
    providers = load("ProviderRegistry", notice)
    assert providers.NOTICE_PERIOD() == notice
    assert providers.provider_count() == 0


@pytest.mark.parametrize("notice", [0, 365 * DAY + 1])
def test_out_of_bounds_reverts(notice):
    with boa.reverts("provider_registry: notice period out of bounds"):
        load("ProviderRegistry", notice)
