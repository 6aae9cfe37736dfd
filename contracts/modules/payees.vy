# pragma version 0.4.3
"""
@title Payees
@license Apache-2.0
@author Clearwork
@notice Who can be paid for a job: a provider, or a cluster of providers. Both are numbers of 24
        bits; the upper half of them are clusters.
"""

# the first cluster's number; every provider's is below
FIRST_CLUSTER: constant(uint24) = 2**23


@internal
@pure
def _is_cluster(payee: uint24) -> bool:
    return payee >= FIRST_CLUSTER
