"""The owner's way: schedule in public, wait, execute; or cancel."""

import boa
import pytest

from .conftest import DAY, MIN_DELAY, NO_HASH, SALT


def test_scheduled_call_runs_after_its_delay_and_only_once(timelock, committee, schedule, execute):
    operation = schedule()
    assert timelock.is_operation_pending(operation)
    boa.env.time_travel(seconds=MIN_DELAY - 1)
    with boa.reverts("timelock_controller: operation is not ready"):
        execute()
    assert committee.rules_version() == 1

    boa.env.time_travel(seconds=1)
    assert timelock.is_operation_ready(operation)
    execute()
    assert committee.rules_version() == 2
    assert timelock.is_operation_done(operation)

    number = committee.config_number()
    with boa.reverts("timelock_controller: operation is not ready"):
        execute()
    assert committee.config_number() == number


def test_no_shortcut_around_the_delay(timelock, committee, schedule, execute, oracles, deployer):
    with boa.reverts("timelock_controller: insufficient delay"):
        schedule(MIN_DELAY - 1)
    with boa.reverts("timelock_controller: operation is not ready"):
        execute()
    with boa.reverts("ownable: caller is not the owner"):
        committee.configure([o.address for o in oracles], 5, 2, sender=deployer)
    assert committee.rules_version() == 1


def test_cancelled_call_never_runs(timelock, committee, schedule, execute, proposer):
    operation = schedule()
    timelock.cancel(operation, sender=proposer)
    assert not timelock.is_operation(operation)
    boa.env.time_travel(seconds=10 * MIN_DELAY)
    with boa.reverts("timelock_controller: operation is not ready"):
        execute()
    assert committee.rules_version() == 1


@pytest.mark.parametrize("step", ["schedule", "execute", "cancel"])
def test_each_step_needs_its_role(
    timelock, committee, schedule, execute, proposer, executor, deployer, stranger, step
):
    others = {"schedule": executor, "execute": proposer, "cancel": executor}
    operation = None if step == "schedule" else schedule()
    boa.env.time_travel(seconds=MIN_DELAY)
    for caller in (deployer, stranger, others[step]):
        with boa.reverts("access_control: account is missing role"):
            if step == "schedule":
                schedule(sender=caller)
            elif step == "execute":
                execute(sender=caller)
            else:
                timelock.cancel(operation, sender=caller)
    assert committee.rules_version() == 1
    assert operation is None or timelock.is_operation_pending(operation)


def test_reason_of_a_failing_call_comes_through(timelock, committee, proposer, executor, oracles):
    too_many = committee.configure.prepare_calldata([o.address for o in oracles], 8, 2)
    operation = (committee.address, 0, too_many, NO_HASH, SALT)
    timelock.schedule(*operation, MIN_DELAY, sender=proposer)
    boa.env.time_travel(seconds=MIN_DELAY)
    with boa.reverts("oracle_committee: threshold above member count"):
        timelock.execute(*operation, sender=executor)
    assert timelock.is_operation_ready(timelock.hash_operation(*operation))


def test_batch_runs_whole_or_not_at_all(
    timelock, committee, new_rules, proposer, executor, oracles, stranger
):
    hand_over = committee.transfer_ownership.prepare_calldata(stranger)
    bad = committee.configure.prepare_calldata([], 1, 2)
    for second, reason in (
        (bad, "oracle_committee: threshold above member count"),
        (hand_over, None),
    ):
        batch = ([committee.address] * 2, [0, 0], [new_rules, second], NO_HASH, SALT)
        timelock.schedule_batch(*batch, MIN_DELAY, sender=proposer)
        boa.env.time_travel(seconds=MIN_DELAY)
        if reason is None:
            timelock.execute_batch(*batch, sender=executor)
        else:
            with boa.reverts(reason):
                timelock.execute_batch(*batch, sender=executor)
            assert committee.rules_version() == 1
    assert committee.rules_version() == 2
    assert committee.pending_owner() == stranger


def test_delay_changes_only_through_the_timelock(timelock, proposer, executor):
    with boa.reverts("timelock_controller: caller must be timelock"):
        timelock.update_delay(DAY, sender=proposer)
    call = timelock.update_delay.prepare_calldata(DAY)
    operation = (timelock.address, 0, call, NO_HASH, SALT)
    timelock.schedule(*operation, MIN_DELAY, sender=proposer)
    boa.env.time_travel(seconds=MIN_DELAY)
    timelock.execute(*operation, sender=executor)
    assert timelock.get_minimum_delay() == DAY


def test_roles_change_only_through_the_timelock(timelock, proposer, executor, deployer, stranger):
    role = timelock.PROPOSER_ROLE()
    for caller in (deployer, proposer, executor):
        with boa.reverts("access_control: account is missing role"):
            timelock.grantRole(role, stranger, sender=caller)
    assert not timelock.hasRole(role, stranger)
    call = timelock.grantRole.prepare_calldata(role, stranger)
    operation = (timelock.address, 0, call, NO_HASH, SALT)
    timelock.schedule(*operation, MIN_DELAY, sender=proposer)
    boa.env.time_travel(seconds=MIN_DELAY)
    timelock.execute(*operation, sender=executor)
    assert timelock.hasRole(role, stranger)
