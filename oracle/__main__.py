"""`python -m oracle` is the `clearwork` command."""

from oracle.cli.main import run

run()
