"""How much of the machine TensorFlow takes. It knows nothing else."""


def limit_threads(threads: int) -> None:
    """Keep TensorFlow to so many threads; without effect once it has started computing."""
    import tensorflow as tf  # noqa: PLC0415 TensorFlow only when needed

    try:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    except RuntimeError:
        return  # TensorFlow fixes its threads at the first operation, and a caller came before us
