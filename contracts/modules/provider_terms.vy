# pragma version 0.4.3
"""
@title Provider terms
@license Apache-2.0
@author Clearwork
@notice What a provider has announced, in one storage word:

          owner 160 | emission_commission_bps 16 | job_commission_bps 16
          | max_reporter_bps 16 | raised_at 48

@dev No other file shifts these bits.
"""

# widths, in bits
ADDRESS: constant(uint256) = 160
BPS: constant(uint256) = 16

MAX_ADDRESS: constant(uint256) = 2**ADDRESS - 1
MAX_BPS: constant(uint256) = 2**BPS - 1


struct Terms:
    # the zero address for a provider that was never registered
    owner: address
    # bps of emission that the provider keeps
    emission_commission_bps: uint256
    # bps of job income that the provider keeps
    job_commission_bps: uint256
    # bps of a slash that a reporter may get at most
    max_reporter_bps: uint256
    # chain time in seconds of the registration or of the last rise of a commission
    raised_at: uint256


@internal
@pure
def _terms(word: uint256) -> Terms:
    return Terms(
        owner=self._owner(word),
        emission_commission_bps=(word >> ADDRESS) & MAX_BPS,
        job_commission_bps=(word >> (ADDRESS + BPS)) & MAX_BPS,
        max_reporter_bps=self._max_reporter_bps(word),
        raised_at=word >> (ADDRESS + 3 * BPS),
    )


@internal
@pure
def _owner(word: uint256) -> address:
    return convert(word & MAX_ADDRESS, address)


@internal
@pure
def _max_reporter_bps(word: uint256) -> uint256:
    return (word >> (ADDRESS + 2 * BPS)) & MAX_BPS


@internal
@pure
def _pack(terms: Terms) -> uint256:
    """
    @dev The caller bounds each share by 10_000 bps; chain time fits 48 bits.
    """
    return (
        convert(terms.owner, uint256)
        | (terms.emission_commission_bps << ADDRESS)
        | (terms.job_commission_bps << (ADDRESS + BPS))
        | (terms.max_reporter_bps << (ADDRESS + 2 * BPS))
        | (terms.raised_at << (ADDRESS + 3 * BPS))
    )
