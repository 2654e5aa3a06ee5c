"""Names of the files of a final training."""

TRAINING, TRAINING_LOCK, CHECKPOINT, CURVE = "training.json", "training.lock", "checkpoint.safetensors", "curve.csv"
"""What it is about, its state after a step, and a line for each epoch."""

WEIGHTS, RESULT, VOCABULARY = "final.safetensors", "final.json", "vocabulary.txt"
"""What it found. A directory with a result is complete."""
