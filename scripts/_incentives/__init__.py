"""What dishonest play brings in the emission side, beside honest play by the same actor.

`terms` has every parameter, `arena` plays a subnet, `contracts` has twins of what contracts
decide, `studies` the strategies, `tables` and `chart` what people read.
"""
