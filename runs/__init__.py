"""What `main` can be asked for. See `runs.commands` for the commands, and `runs.api` for the Python interface."""
