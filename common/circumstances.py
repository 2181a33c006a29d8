"""Options that don't affect the results: locations, names, devices, logging."""

CIRCUMSTANCES = frozenset(
    {
        *("mode", "label", "tuned_by", "experiment_root", "experiment_group", "experiment_name", "local_data_folder"),
        *("dataset_url", "resume_training", "overwrite", "checkpoint_seconds", "device", "num_threads", "verbose"),
    }
)
