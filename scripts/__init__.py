"""What an operator of Clearwork runs: `ape run <name>`; modules with an underscore help them."""
