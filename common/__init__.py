"""What every other package may use: errors, the schema base, and files that are never half written."""
