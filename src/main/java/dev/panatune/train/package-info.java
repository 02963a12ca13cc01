/**
 * Training: the arguments of a run, the loop, its checkpoints and its resumption.
 *
 * <p>A {@link dev.panatune.train.Trainer} takes a {@link dev.panatune.train.TrainableModel}, the
 * examples and {@link dev.panatune.train.TrainingArguments}, and reports to {@link
 * dev.panatune.train.callback.TrainerCallback}s.
 */
package dev.panatune.train;
