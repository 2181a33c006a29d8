"""Options that don't change what is computed: they say where, how long ago or how loud."""

CIRCUMSTANCES = frozenset(
    {
        *("mode", "label", "tuned_by", "experiment_root", "experiment_group", "experiment_name", "local_data_folder"),
        *("dataset_url", "resume_training", "overwrite", "checkpoint_seconds", "device", "num_threads", "verbose"),
    }
)
