"""Names of the files of a search."""

CONFIG, LOCK, REPORT = "config.toml", "run.lock", "report.html"

SUPERNET, SUPERNET_CURVE = "supernet.safetensors", "supernet.csv"
"""The training of shared weights: its state after the latest epoch that was saved, and a line for each epoch."""

BELIEFS = "beliefs.safetensors"
"""What a search knows from sources of other tasks, as it was fitted when the search began."""

INSTANCES = "instances.json"
"""What a network that decides for each image was found to do."""

CHILDREN = "children"
"""A folder of trainings that were stopped early, of a search over levels of training."""
