"""Two supply policies under one shock: demand and price fall at once.

`market` plays the days, `chart` and `tables` show them; scripts/simulate_demand.py runs them.
"""
