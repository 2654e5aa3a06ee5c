"""Names of the files in a run's directory."""

CONFIG, DATABASE, LOCK, REPORT = "config.toml", "run.db", "run.lock", "report.html"

SUPERNET, SUPERNET_CURVE = "supernet.safetensors", "supernet.csv"
"""The training of shared weights: its state after the latest epoch that was saved, and a line for each epoch."""

TRAINING, TRAINING_LOCK, CHECKPOINT, CURVE = "training.json", "training.lock", "checkpoint.safetensors", "curve.csv"
"""A final training: what it is about, its state after a step, and a line for each epoch."""

WEIGHTS, RESULT, VOCABULARY = "final.safetensors", "final.json", "vocabulary.txt"
"""What a final training found. A directory with a result is complete."""
