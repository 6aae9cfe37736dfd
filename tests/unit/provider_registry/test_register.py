"""ProviderRegistry.register: ids, keys and terms."""

import boa
import pytest

ZERO = "0x" + "00" * 20
FIRST_CLUSTER = 2**23


@pytest.fixture
def register(providers, owner, payout):
    def _register(operator=ZERO, receiver=payout, emission=0, job=0, cut=0, uri="", sender=owner):
        return providers.register(operator, receiver, emission, job, cut, uri, sender=sender)

    return _register


def test_terms_are_kept(providers, registered, owner, operator, payout):
    info = providers.provider_info(registered)
    assert info.owner == owner
    assert info.operator == operator.address
    assert info.payout == payout
    assert (info.emission_commission_bps, info.job_commission_bps) == (1_000, 500)
    assert info.max_reporter_bps == 5_000
    assert providers.provider_of_operator(operator.address) == registered


def test_log_holds_every_term_and_the_uri(providers, registered, owner, operator, payout):
    names = [type(entry).__name__ for entry in providers.get_logs()]
    assert names == ["OperatorChanged", "PayoutChanged", "ProviderRegistered"]
    entry = providers.get_logs()[-1]
    assert (entry.provider, entry.owner, entry.operator) == (registered, owner, operator.address)
    assert (entry.payout, entry.max_reporter_bps) == (payout, 5_000)
    assert (entry.emission_commission_bps, entry.job_commission_bps) == (1_000, 500)
    assert entry.uri == "https://gpu.example"


def test_ids_are_sequential_from_one(providers, register, alice):
    assert [register(), register(sender=alice), register()] == [1, 2, 3]
    assert providers.provider_count() == 3


def test_ids_end_where_the_clusters_begin(providers, register):
    """The upper half of all payee numbers are clusters'."""
    layout = providers.compiler_data.storage_layout["storage_layout"]
    slot = layout["provider_count"]["slot"]
    boa.env.set_storage(providers.address, slot, FIRST_CLUSTER - 2)
    assert register() == FIRST_CLUSTER - 1
    with boa.reverts("provider_registry: too many providers"):
        register()
    assert providers.provider_count() == FIRST_CLUSTER - 1
    assert providers.owner_of(FIRST_CLUSTER) == ZERO


@pytest.mark.parametrize("bps", [0, 1, 10_000])
def test_shares_up_to_the_whole_are_allowed(providers, register, bps):
    info = providers.provider_info(register(emission=bps, job=bps, cut=bps))
    shares = (info.emission_commission_bps, info.job_commission_bps, info.max_reporter_bps)
    assert shares == (bps,) * 3


@pytest.mark.parametrize("term", ["emission", "job", "cut"])
def test_share_over_the_whole_reverts(register, refused, term):
    with refused("provider_registry: share over 10_000 bps"):
        register(**{term: 10_001})


def test_provider_without_operator_key_is_allowed(providers, register):
    assert providers.provider_info(register()).operator == ZERO
    assert providers.provider_of_operator(ZERO) == 0


def test_operator_key_of_another_provider_reverts(registered, operator, alice, register, refused):
    with refused("provider_registry: operator key was used"):
        register(operator=operator.address, sender=alice)


def test_payout_to_nobody_reverts(register, refused):
    with refused("provider_registry: payout is the zero address"):
        register(receiver=ZERO)


def test_longest_uri_fits_and_a_longer_one_reverts(providers, register, refused):
    register(uri="u" * 200)
    assert providers.get_logs()[-1].uri == "u" * 200
    before = providers.provider_count()
    with boa.reverts(compiler="String[200] bounds check"):
        register(uri="u" * 201)
    assert providers.provider_count() == before
