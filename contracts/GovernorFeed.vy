# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Governor feed
@license Apache-2.0
@author Clearwork
@notice A price feed whose answer its owner, a governor, sets. A token that was just created has no
        other; once it has one, Prices is pointed there. It is read like any Chainlink aggregator.
@dev Trust: the governor, for every answer. It answers without delay, so it is not the Timelock; who
     reads the feed bounds age, value and jumps: see Prices.
@custom:security security@clearwork.example
@custom:kill The governor stops answering: the answer goes stale.
"""

from snekmate.auth import ownable
from snekmate.auth import ownable_2step

from .interfaces import IAggregator
from .interfaces import IGovernorFeed

implements: IAggregator

initializes: ownable
initializes: ownable_2step[ownable := ownable]

exports: (
    # owner
    ownable_2step.owner,
    ownable_2step.pending_owner,
    ownable_2step.transfer_ownership,
    ownable_2step.accept_ownership,
    ownable_2step.renounce_ownership,
)

# of the answer, as USD feeds have it
decimals: public(constant(uint8)) = 8

# rounds ever answered; the last one's number
round: uint80
# USD with 8 decimals
answer: int256
# chain time in seconds of the last answer
updated_at: uint256


@deploy
def __init__(governor: address, answer: int256):
    """
    @param governor owner, who answers
    @param answer first answer, USD with 8 decimals
    """
    ownable.__init__()
    ownable_2step.__init__()
    assert governor != empty(address), "governor_feed: no governor"
    ownable_2step._transfer_ownership(governor)
    self._set_answer(answer)


@external
@view
def latestRoundData() -> (uint80, int256, uint256, uint256, uint80):
    """
    @notice The last answer.
    @return round number of the answer
    @return answer USD with 8 decimals
    @return started_at chain time in seconds of the answer
    @return updated_at the same
    @return answered_in_round `round`
    """
    return self.round, self.answer, self.updated_at, self.updated_at, self.round


@external
def set_answer(answer: int256):
    """
    @notice OWNER: answer anew; the same answer again makes it fresh.
    @param answer USD with 8 decimals, above 0
    """
    ownable._check_owner()
    self._set_answer(answer)


@internal
def _set_answer(answer: int256):
    assert answer > 0, "governor_feed: no answer"
    self.round += 1
    self.answer = answer
    self.updated_at = block.timestamp
    log IGovernorFeed.AnswerUpdated(
        current=answer, roundId=convert(self.round, uint256), updatedAt=block.timestamp
    )
