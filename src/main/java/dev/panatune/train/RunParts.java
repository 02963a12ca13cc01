package dev.panatune.train;

import dev.panatune.train.optim.AdamW;

/** What a run is made of and a checkpoint keeps. */
record RunParts(
    TrainableModel model, AdamW optimizer, RunState state, TrainingPlan plan, TrainingData data) {}
