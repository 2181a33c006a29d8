"""How interactions are held out: one module a protocol, registered in `datasets.SPLITS`."""
