"""Learning from what is labelled here: the training set, locked sets, trainings and their verdicts."""
