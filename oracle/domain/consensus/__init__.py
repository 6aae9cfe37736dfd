"""Yuma consensus in whole numbers: every honest oracle computes the same bits.

A subnet's validators weigh its miners. Consensus is what the majority of the stake agrees on;
miners earn by it (incentive), validators by bonds with miners that they weighed early
(dividends). This package holds the arithmetic (`fixed`), the stored form of weights and bonds
(`rows`), the weighted median (`median`), the bonds of Yuma 2 and 3 (`bonds`) with liquid alpha
(`alpha`), one epoch of all that (`epoch`), and what is cut from the budget before (`split`).
Source: specs/emissions.md, section 3; docs/consensus.md explains it step by step.
"""

from oracle.domain.consensus.epoch import Inputs, Mode, Outputs, Params, pay, run_epoch
from oracle.domain.consensus.rows import Rows
from oracle.domain.consensus.split import Split, split

__all__ = [
    "Inputs",
    "Mode",
    "Outputs",
    "Params",
    "Rows",
    "Split",
    "pay",
    "run_epoch",
    "split",
]
