"""Clearwork's oracle service: attests GPUs, meters usage, posts receipts on chain."""
