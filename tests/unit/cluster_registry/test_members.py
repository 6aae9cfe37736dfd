"""ClusterRegistry.join and leave, and what a cluster answers about itself."""

import pytest

from tests.unit.cluster_registry.conftest import FIRST_CLUSTER, GPUS, LEAD, MOST_COLLATERAL, TOTAL
from tests.unit.market import logs

OTHERS = [index for index in range(len(GPUS)) if index != LEAD]


# --- join and leave -------------------------------------------------------------------------


@pytest.mark.parametrize("order", [OTHERS, OTHERS[::-1]])
def test_complete_once_the_last_has_joined(clusters, form, members, speakers, order):
    cluster = form()
    for place, index in enumerate(order):
        assert not clusters.cluster_info(cluster)[3]
        clusters.join(cluster, index, sender=speakers[index])
        assert logs(clusters, "MemberJoined") == [(cluster, members[index])]
        assert clusters.cluster_info(cluster)[3] == (place == len(order) - 1)


@pytest.mark.parametrize("index", range(len(GPUS)))
def test_whoever_leaves_stops_it(
    clusters, cluster, members, speakers, device_class, refused, index
):
    clusters.leave(cluster, index, sender=speakers[index])
    assert logs(clusters, "MemberLeft") == [(cluster, members[index])]
    assert not clusters.cluster_info(cluster)[3]
    with refused("cluster_registry: a member has not joined"):
        clusters.members_for(cluster, device_class, 0)
    clusters.join(cluster, index, sender=speakers[index])
    assert clusters.cluster_info(cluster)[3]


def test_nothing_twice(clusters, cluster, speakers, refused):
    for index, speaker in enumerate(speakers):
        with refused("cluster_registry: nothing to change"):
            clusters.join(cluster, index, sender=speaker)
    clusters.leave(cluster, 0, sender=speakers[0])
    with refused("cluster_registry: nothing to change"):
        clusters.leave(cluster, 0, sender=speakers[0])


def test_the_lead_joins_by_forming(clusters, form, lead, refused):
    cluster = form()
    with refused("cluster_registry: nothing to change"):
        clusters.join(cluster, LEAD, sender=lead)


def test_only_for_oneself(clusters, form, speakers, stranger, deployer, refused):
    cluster = form()
    for caller in (*speakers[1:], stranger, deployer):
        with refused("cluster_registry: not the provider"):
            clusters.join(cluster, 0, sender=caller)
    clusters.join(cluster, 0, sender=speakers[0])
    for caller in (*speakers[1:], stranger, deployer):
        with refused("cluster_registry: not the provider"):
            clusters.leave(cluster, 0, sender=caller)


def test_by_an_operator_key(clusters, cluster, members, speakers, operator_of):
    key = operator_of(members[0], speakers[0])
    clusters.leave(cluster, 0, sender=key)
    clusters.join(cluster, 0, sender=key)


@pytest.mark.parametrize("index", [len(GPUS), 64, 96, 2**256 - 1])
def test_a_place_that_nobody_has(clusters, cluster, speakers, refused, index):
    for call in (clusters.join, clusters.leave):
        with refused("cluster_registry: no such member"):
            call(cluster, index, sender=speakers[0])


@pytest.mark.parametrize("unknown", [0, 1, FIRST_CLUSTER - 1, FIRST_CLUSTER + 1, 2**24 - 1])
def test_a_cluster_that_nobody_formed(clusters, cluster, speakers, refused, unknown):
    for call in (clusters.join, clusters.leave):
        with refused("cluster_registry: unknown cluster"):
            call(unknown, 0, sender=speakers[0])


def test_one_cluster_is_not_another(clusters, cluster, form, speakers, device_class):
    other = form()
    clusters.leave(cluster, 0, sender=speakers[0])
    clusters.join(other, 0, sender=speakers[0])
    clusters.join(other, 2, sender=speakers[2])
    assert len(clusters.members_for(other, device_class, 0)) == len(GPUS)
    assert not clusters.cluster_info(cluster)[3]


def test_what_leaving_does_not_touch(
    clusters, jobs, bonds, cluster, cluster_job, members, speakers
):
    """The jobs that the cluster has."""
    job = cluster_job()
    clusters.leave(cluster, 0, sender=speakers[0])
    assert jobs.job_info(job).status == 2
    assert bonds.committed_gpus(members[0], 1) == GPUS[0]
    jobs.start(job, sender=speakers[LEAD])


# --- views ----------------------------------------------------------------------------------


def test_members_for_a_job(clusters, cluster, members, device_class):
    together = list(zip(members, GPUS, strict=True))
    for collateral in (0, MOST_COLLATERAL):
        assert clusters.members_for(cluster, device_class, collateral) == together


def test_members_for_another_class(clusters, cluster, device_class, refused):
    for other in (0, device_class + 1, 2**16 - 1):
        with refused("cluster_registry: another class"):
            clusters.members_for(cluster, other, 0)


def test_members_for_more_collateral_than_agreed(clusters, cluster, device_class, refused):
    for more in (MOST_COLLATERAL + 1, 2**128, 2**256 - 1):
        with refused("cluster_registry: more collateral than agreed"):
            clusters.members_for(cluster, device_class, more)


def test_nobody_speaks_for_what_does_not_exist(clusters, cluster, lead):
    for unknown in (0, 1, FIRST_CLUSTER - 1, cluster + 1):
        assert not clusters.speaks_for(unknown, lead)
        assert not clusters.is_member(unknown, 1)
    assert not clusters.speaks_for(cluster, "0x" + "00" * 20)


def test_only_the_lead_speaks(clusters, cluster, members, speakers, stranger, operator_of):
    assert [clusters.speaks_for(cluster, each) for each in speakers] == [False, True, False]
    assert not clusters.speaks_for(cluster, stranger)
    assert clusters.speaks_for(cluster, operator_of(members[LEAD], speakers[LEAD]))


def test_who_is_in_it(clusters, cluster, members, provider):
    assert all(clusters.is_member(cluster, member) for member in members)
    for other in (0, provider, cluster, 2**24 - 1):
        assert not clusters.is_member(cluster, other)


@pytest.mark.parametrize("view", ["members_of", "cluster_info"])
def test_views_of_an_unknown_cluster(clusters, cluster, refused, view):
    with refused("cluster_registry: unknown cluster"):
        getattr(clusters, view)(cluster + 1)
    assert clusters.total_gpus(cluster) == TOTAL
    assert clusters.total_gpus(cluster + 1) == 0
