"""Options that don't change what is computed."""

# They say where, how long ago or how loud.
CIRCUMSTANCES = frozenset(
    (
        "mode",
        "label",
        "experiment_root",
        "experiment_group",
        "experiment_name",
        "tuned_by",
        "resume_training",
        "overwrite",
    )
    + ("device", "num_threads", "verbose", "checkpoint_seconds", "local_data_folder", "dataset_url")
)
