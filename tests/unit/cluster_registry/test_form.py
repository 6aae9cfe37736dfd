"""ClusterRegistry.form: who may be together, and who may say so."""

import boa
import pytest

from tests.unit.cluster_registry.conftest import FIRST_CLUSTER, GPUS, LEAD, MOST_COLLATERAL, TOTAL
from tests.unit.conftest import ROLE_DELAY, load
from tests.unit.market import logs


def set_count(contract, name, value):
    """As if so many had come before."""
    slot = contract.compiler_data.storage_layout["storage_layout"][name]["slot"]
    boa.env.set_storage(contract.address, slot, value)


def test_a_cluster_is_what_was_formed(clusters, form, members, device_class):
    cluster = form()
    assert cluster == FIRST_CLUSTER
    together = list(zip(members, GPUS, strict=True))
    assert logs(clusters, "ClusterFormed") == [
        (cluster, members[LEAD], together, device_class, MOST_COLLATERAL)
    ]
    assert clusters.members_of(cluster) == together
    assert clusters.total_gpus(cluster) == TOTAL
    # the lead has agreed by forming it, nobody else has
    assert clusters.cluster_info(cluster) == (device_class, MOST_COLLATERAL, members[LEAD], False)


def test_numbers_follow_each_other(clusters, form):
    assert [form() for _ in range(3)] == list(range(FIRST_CLUSTER, FIRST_CLUSTER + 3))
    assert clusters.cluster_count() == 3


def test_a_provider_alone_is_complete_at_once(clusters, form, members, lead, device_class):
    cluster = form([(members[LEAD], 1)], at=0)
    assert clusters.cluster_info(cluster)[3]
    assert clusters.members_for(cluster, device_class, 0) == [(members[LEAD], 1)]


@pytest.mark.parametrize("at", [0, 7, 63])
def test_sixty_four_members(clusters, providers, form, stranger, at):
    """All but the lead are providers that nobody has registered yet, and can't join."""
    set_count(providers, "provider_count", 5_000 - 1)
    providers.register("0x" + "00" * 20, stranger, 0, 0, 0, "", sender=stranger)
    numbers = [5_000 + 3 * (place - at) for place in range(64)]
    who = [(number, 900 + place) for place, number in enumerate(numbers)]
    cluster = form(who, at=at, by=stranger)
    assert clusters.members_of(cluster) == who
    assert clusters.total_gpus(cluster) == sum(gpus for _, gpus in who)
    assert clusters.cluster_info(cluster)[2:] == (5_000, False)
    assert [clusters.is_member(cluster, number) for number in numbers] == [True] * 64
    assert not clusters.is_member(cluster, 5_001)


def test_largest_terms(clusters, form, members, lead):
    cluster = form(
        [(members[LEAD], 1), (2**24 - 1, 2**16 - 2)], at=0, of_class=2**16 - 1, most=2**128 - 1
    )
    assert clusters.members_of(cluster) == [(members[LEAD], 1), (2**24 - 1, 2**16 - 2)]
    assert clusters.cluster_info(cluster) == (2**16 - 1, 2**128 - 1, members[LEAD], False)
    assert clusters.total_gpus(cluster) == 2**16 - 1


def test_more_than_sixty_four_members_revert(form, members, state):
    before = state()
    with boa.reverts():
        form([(members[0] + i, 1) for i in range(65)])
    assert state() == before


@pytest.mark.parametrize("places", [(1, 0), (0, 0), (1, 1), (0, 2, 1)])
def test_members_ascend(form, members, speakers, refused, places):
    with refused("cluster_registry: providers not ascending"):
        form([(members[place], 1) for place in places], at=0, by=speakers[places[0]])


def test_nobody_is_no_member(form, members, speakers, refused):
    with refused("cluster_registry: providers not ascending"):
        form([(0, 1), (members[0], 1)], at=1, by=speakers[0])


@pytest.mark.parametrize("without", [0, 1, 2])
def test_every_member_brings_gpus(form, members, refused, without):
    who = [(member, int(place != without)) for place, member in enumerate(members)]
    with refused("cluster_registry: member without gpus"):
        form(who)


def test_as_many_gpus_as_a_job_can_have(form, members, refused):
    with refused("cluster_registry: too many gpus"):
        form([(members[0], 2**15), (members[1], 2**15)])
    form([(members[0], 2**15), (members[1], 2**15 - 1)])


@pytest.mark.parametrize("at", [len(GPUS), 64, 2**256 - 1])
def test_the_lead_is_a_member(form, refused, at):
    with refused("cluster_registry: no such member"):
        form(at=at)


def test_nobody_together_reverts(form, refused):
    with refused("cluster_registry: no such member"):
        form([], at=0)


def test_only_who_speaks_for_the_lead(form, speakers, stranger, deployer, refused):
    for caller in (*(each for i, each in enumerate(speakers) if i != LEAD), stranger, deployer):
        with refused("cluster_registry: not the provider"):
            form(by=caller)


def test_the_lead_is_registered(form, members, refused):
    with refused("cluster_registry: not the provider"):
        form([(members[LEAD], 1), (2**22, 1)], at=1)


def test_by_the_leads_operator_key(form, members, lead, operator_of):
    form(by=operator_of(members[LEAD], lead))


def test_numbers_end(clusters, form, members):
    set_count(clusters, "cluster_count", 2**23 - 2)
    assert form() == 2**24 - 2
    with boa.reverts("cluster_registry: too many clusters"):
        form()
    assert clusters.cluster_count() == 2**23 - 1


def test_without_a_registry_of_providers():
    with boa.reverts("cluster_registry: no providers"):
        load("ClusterRegistry", "0x" + "00" * 20, ROLE_DELAY)
