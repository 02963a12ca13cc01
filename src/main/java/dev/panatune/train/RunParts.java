package dev.panatune.train;

import dev.panatune.train.optim.Optimizer;

/** What a run is made of and a checkpoint keeps. */
record RunParts(
    TrainableModel model,
    Optimizer optimizer,
    RunState state,
    TrainingPlan plan,
    TrainingData data) {}
