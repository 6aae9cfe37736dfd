# pragma version 0.4.3
"""
@title Subnet words
@license Apache-2.0
@author Clearwork
@notice What the subnet registry keeps, each in one storage word:

        rules      bits   0..15   places
                   bits  16..31   epochs of immunity
                   bits  32..47   fewest entries in a row of weights
                   bits  48..63   epochs between two commits
                   bits  64..79   epochs from commit to reveal
                   bits  80..95   epochs in which to reveal
                   bits  96..191  base units of stake that a validator needs

        consensus  bits   0..15   most validators
                   bits  16..31   kappa
                   bits  32..63   moving average of bonds
                   bits  64..79   penalty of bonds
                   bits  80..87   Yuma version
                   bits  88..95   liquid alpha
                   bits  96..111  alpha, low
                   bits 112..127  alpha, high
                   bits 128..143  alpha, steepness
                   bits 144..159  activity cutoff
                   bits 160..175  owner's cut in bps

        neuron     bits   0..23   provider; 0 = nobody
                   bits  24..63   chain time of its registration
                   bits  64..95   epoch of its registration
                   bits  96..135  chain time at which the weights that count were committed to
                   bits 136..175  chain time of the commit that waits
                   bits 176..207  its epoch
@dev No other file shifts these bits. Times fit for 34 000 years, epochs of a second for 136.
"""

from ..interfaces import ISubnetRegistry

MASK_16: constant(uint256) = 2**16 - 1
MASK_24: constant(uint256) = 2**24 - 1
MASK_32: constant(uint256) = 2**32 - 1
MASK_40: constant(uint256) = 2**40 - 1


# --- parameters -----------------------------------------------------------------------------


@internal
@pure
def _pack_rules(rules: ISubnetRegistry.Rules) -> uint256:
    return (
        convert(rules.max_uids, uint256)
        | (convert(rules.immunity_epochs, uint256) << 16)
        | (convert(rules.min_weights, uint256) << 32)
        | (convert(rules.commit_interval, uint256) << 48)
        | (convert(rules.reveal_delay, uint256) << 64)
        | (convert(rules.reveal_window, uint256) << 80)
        | (convert(rules.min_stake, uint256) << 96)
    )


@internal
@pure
def _rules(word: uint256) -> ISubnetRegistry.Rules:
    return ISubnetRegistry.Rules(
        max_uids=convert(word & MASK_16, uint16),
        immunity_epochs=convert((word >> 16) & MASK_16, uint16),
        min_weights=convert((word >> 32) & MASK_16, uint16),
        commit_interval=convert((word >> 48) & MASK_16, uint16),
        reveal_delay=convert((word >> 64) & MASK_16, uint16),
        reveal_window=convert((word >> 80) & MASK_16, uint16),
        min_stake=convert(word >> 96, uint96),
    )


@internal
@pure
def _pack_consensus(numbers: ISubnetRegistry.Consensus) -> uint256:
    return (
        convert(numbers.max_validators, uint256)
        | (convert(numbers.kappa, uint256) << 16)
        | (convert(numbers.bonds_moving_average, uint256) << 32)
        | (convert(numbers.bonds_penalty, uint256) << 64)
        | (convert(numbers.yuma, uint256) << 80)
        | (convert(numbers.liquid_alpha, uint256) << 88)
        | (convert(numbers.alpha_low, uint256) << 96)
        | (convert(numbers.alpha_high, uint256) << 112)
        | (convert(numbers.alpha_steepness, uint256) << 128)
        | (convert(numbers.activity_cutoff, uint256) << 144)
        | (convert(numbers.owner_cut_bps, uint256) << 160)
    )


@internal
@pure
def _consensus(word: uint256) -> ISubnetRegistry.Consensus:
    return ISubnetRegistry.Consensus(
        max_validators=convert(word & MASK_16, uint16),
        kappa=convert((word >> 16) & MASK_16, uint16),
        bonds_moving_average=convert((word >> 32) & MASK_32, uint32),
        bonds_penalty=convert((word >> 64) & MASK_16, uint16),
        yuma=convert((word >> 80) & 255, uint8),
        liquid_alpha=(word >> 88) & 1 != 0,
        alpha_low=convert((word >> 96) & MASK_16, uint16),
        alpha_high=convert((word >> 112) & MASK_16, uint16),
        alpha_steepness=convert((word >> 128) & MASK_16, uint16),
        activity_cutoff=convert((word >> 144) & MASK_16, uint16),
        owner_cut_bps=convert(word >> 160, uint16),
    )


# --- neurons --------------------------------------------------------------------------------


@internal
@pure
def _pack_neuron(neuron: ISubnetRegistry.Neuron) -> uint256:
    return (
        convert(neuron.provider, uint256)
        | (convert(neuron.registered_at, uint256) << 24)
        | (convert(neuron.registered_epoch, uint256) << 64)
        | (convert(neuron.weights_at, uint256) << 96)
        | (convert(neuron.committed_at, uint256) << 136)
        | (convert(neuron.committed_epoch, uint256) << 176)
    )


@internal
@pure
def _neuron(word: uint256) -> ISubnetRegistry.Neuron:
    return ISubnetRegistry.Neuron(
        provider=convert(word & MASK_24, uint24),
        registered_at=convert((word >> 24) & MASK_40, uint64),
        registered_epoch=convert((word >> 64) & MASK_32, uint64),
        weights_at=convert((word >> 96) & MASK_40, uint64),
        committed_at=convert((word >> 136) & MASK_40, uint64),
        committed_epoch=convert(word >> 176, uint64),
    )
