# pragma version 0.4.3
"""
@title Isolated calls
@license Apache-2.0
@author Clearwork
@notice Calls to a contract whose failure must not stop the caller: it may revert, burn its gas or
        answer nonsense, and the caller goes on without its answer.
@dev Whoever sends the transaction chooses its gas, and could send so little that a sound callee
     fails. So a failure counts only if the callee had all of its `gas_limit`; else everything
     reverts. A call that succeeds needs no more gas than it uses.
"""

# gas for what happens between the look at `msg.gas` and the call
OVERHEAD: constant(uint256) = 20_000
# a list of 65 words
MAX_ANSWER: constant(uint256) = 32 * 67


@internal
def _call(target: address, data: Bytes[132], gas_limit: uint256) -> (bool, Bytes[MAX_ANSWER]):
    """
    @param target contract to call
    @param data calldata
    @param gas_limit gas that it gets at most
    @return success whether it did not revert
    @return answer its first `MAX_ANSWER` bytes
    """
    is_enough: bool = self._is_enough(gas_limit)
    success: bool = False
    answer: Bytes[MAX_ANSWER] = b""
    success, answer = raw_call(
        target, data, max_outsize=MAX_ANSWER, gas=gas_limit, revert_on_failure=False
    )
    self._check(success, is_enough)
    return success, answer


@internal
@view
def _is_enough(gas_limit: uint256) -> bool:
    # EIP-150: a call gets at most 63 / 64 of what is left
    return msg.gas > gas_limit * 64 // 63 + OVERHEAD


@internal
@pure
def _check(success: bool, is_enough: bool):
    assert success or is_enough, "isolated: too little gas"


@internal
@view
def _read(target: address, data: Bytes[132], gas_limit: uint256) -> (uint256, bool):
    """
    @notice The same for a view that returns one word.
    @return word its answer, 0 without one
    @return success whether there is one
    """
    is_enough: bool = self._is_enough(gas_limit)
    success: bool = False
    answer: Bytes[32] = b""
    success, answer = raw_call(
        target,
        data,
        max_outsize=32,
        gas=gas_limit,
        is_static_call=True,
        revert_on_failure=False,
    )
    self._check(success, is_enough)
    if not success or len(answer) != 32:
        return 0, False
    return extract32(answer, 0, output_type=uint256), True


@internal
@pure
def _amounts(answer: Bytes[MAX_ANSWER]) -> (DynArray[uint256, 65], bool):
    """
    @notice An answer that should be a list of at most 65 amounts, read without trust.
    @return amounts in the order of the list
    @return is_list whether it is one, and every amount is below 2^128
    """
    amounts: DynArray[uint256, 65] = []
    if len(answer) < 64 or extract32(answer, 0, output_type=uint256) != 32:
        return amounts, False
    count: uint256 = extract32(answer, 32, output_type=uint256)
    if count > 65 or len(answer) < 64 + 32 * count:
        return amounts, False
    for i: uint256 in range(count, bound=65):
        amount: uint256 = extract32(answer, 64 + 32 * i, output_type=uint256)
        if amount >= 2**128:
            return [], False
        amounts.append(amount)
    return amounts, True
