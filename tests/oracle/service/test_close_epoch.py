"""Closing epochs: one root from four rebuilds, posted, activated, claimed."""

from oracle.domain.hashing import keccak
from oracle.domain.leaves import decode
from tests.oracle.conftest import ACTIVATION_DELAY, Live, Machine, Oracle, admit, step, step_until


def close_epoch(live: Live, oracles: list[Oracle], epoch: int) -> None:
    """Let everything up to `epoch` be pressed, reported and posted."""
    live.enter_epoch(epoch + 1)
    step_until(oracles, lambda: live.read("EpochLedger", "last_epoch")[0] >= epoch)


def test_all_oracles_rebuild_one_root(live: Live, oracles: list[Oracle], machine: Machine) -> None:
    live.enter_epoch(1)
    step(oracles)
    admit(machine, oracles)
    close_epoch(live, oracles, 1)
    assert live.read("EpochLedger", "last_epoch") == [1, True]
    head = "0x" + live.read("EpochLedger", "head").hex()
    rebuilt = [{epoch["report_hash"] for epoch in oracle.get("/v1/epochs")} for oracle in oracles]
    # three signed: each has rebuilt it
    assert sum(head in hashes for hashes in rebuilt) >= 3


def test_reward_is_claimed_with_the_proof_served(
    live: Live, oracles: list[Oracle], machine: Machine
) -> None:
    live.enter_epoch(1)
    step(oracles)
    admit(machine, oracles)
    close_epoch(live, oracles, 1)
    live.mine(1, ACTIVATION_DELAY)
    oracles[0].look()
    proof = oracles[0].get(f"/v1/proofs/1/0x{machine.provider:064x}")
    assert proof["cumulative"] > 0
    sent = live.w3.eth.send_transaction(
        {"from": live.customer.address, "to": proof["to"], "data": proof["calldata"]}
    )
    assert live.w3.eth.wait_for_transaction_receipt(sent)["status"] == 1
    assert live.read("RewardDistributor", "unvested", machine.provider) > 0


def test_signers_of_an_epoch_are_paid_in_the_next_report(
    live: Live, oracles: list[Oracle], machine: Machine
) -> None:
    live.enter_epoch(1)
    step(oracles)
    admit(machine, oracles)
    close_epoch(live, oracles, 1)
    live.mine(1, ACTIVATION_DELAY)
    step(oracles)
    paid = 0
    for oracle in oracles:
        key = "0x" + oracle.node.member.identity()[2:].lower().rjust(64, "0")
        answer = oracle.http.get(f"/v1/proofs/2/{key}")
        paid += answer.status_code == 200
    # at least the three that signed the device's result in epoch 1
    assert paid >= 3


def test_leaf_file_has_the_posted_hash(live: Live, oracles: list[Oracle]) -> None:
    close_epoch(live, oracles, 1)
    epoch = next(o.get("/v1/epochs")[0] for o in oracles if o.get("/v1/epochs"))
    holder = next(o for o in oracles if o.get("/v1/epochs"))
    content = holder.http.get(f"/v1/epochs/{epoch['report_hash']}/leaves").content
    assert "0x" + keccak(content).hex() == epoch["data_hash"]
    assert decode(content).to_epoch == epoch["to_epoch"]


def test_unearned_budget_is_reclaimed(live: Live, oracles: list[Oracle]) -> None:
    close_epoch(live, oracles, 1)
    live.mine(1, ACTIVATION_DELAY)
    step_until(oracles, lambda: live.read("EmissionsController", "reclaimed") > 0)
    # it pays later budgets, before anything new is minted for them
    first, minted = live.read("EmissionsController", "next_epoch"), live.read("WorkToken", "minted")
    reserve = live.read("EmissionsController", "reserve")
    last = first + 3
    close_epoch(live, oracles, last)
    minted = live.read("WorkToken", "minted") - minted
    found = oracles[0].get(f"/v1/epochs/{last}/summary")
    assert (found["from_epoch"], found["to_epoch"]) == (first, last)
    assert int(found["minted"]) == int(found["net"]) == minted > 0
    assert sum(int(line["share"]) for line in found["subnets"]) == minted + reserve


def test_missed_epochs_roll_up(live: Live, oracles: list[Oracle]) -> None:
    close_epoch(live, oracles, 4)
    assert live.read("EpochLedger", "last_epoch") == [4, True]
    covered = {(e["from_epoch"], e["to_epoch"]) for o in oracles for e in o.get("/v1/epochs")}
    assert (0, 4) in covered


def test_follower_without_leaf_file_fetches_it(
    live: Live, oracles: list[Oracle], make_oracle
) -> None:
    close_epoch(live, oracles, 1)
    newcomer = make_oracle(None, "newcomer")
    newcomer.node.peers[:] = oracles[0].node.peers
    newcomer.look()
    live.mine(1, ACTIVATION_DELAY)
    newcomer.look()
    newcomer.get(f"/v1/proofs/1/0x{1:064x}", status=404)
    posted = newcomer.node.close_epoch._history.active()
    assert newcomer.node.close_epoch.leaf_file(posted.report_hash)
