"""The commands (`runs.commands`) and the Python interface (`runs.api`)."""
