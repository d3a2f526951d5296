"""How much of the machine TensorFlow takes, and how much it says while it is loaded. It knows nothing else."""

import os


def load_quietly() -> None:
    """Import TensorFlow without the remarks on the machine that it writes to stderr past every setting.

    For a process of one thread of work: the descriptor is the whole process's.
    """
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        import tensorflow as tf  # noqa: F401, PLC0415 TensorFlow only when needed
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def limit_threads(threads: int) -> None:
    """Keep TensorFlow to so many threads; without effect once it has started computing."""
    import tensorflow as tf  # noqa: PLC0415 TensorFlow only when needed

    try:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    except RuntimeError:
        return  # TensorFlow fixes its threads at the first operation, and a caller came before us
