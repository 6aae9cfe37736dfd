"""A fleet of devices on a virtual clock: what attestation catches, when, and what it costs.

What decides is the product's own code (`oracle.domain`, `oracle.services.prove` and `.verify`);
what is modelled is time: how fast a card works, when a message arrives, when a block is mined.
"""
