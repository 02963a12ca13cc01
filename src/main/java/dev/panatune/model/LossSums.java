package dev.panatune.model;

import dev.panatune.tensor.Tensor;

/**
 * Sums over target tokens, to be divided by their number once all micro-batches of a step, or all
 * batches of an evaluation, have been added up.
 *
 * @param loss negative log-likelihoods in nats: fp32 scalar, differentiable
 * @param correct how often the likeliest token was the target: int64 scalar
 */
public record LossSums(Tensor loss, Tensor correct) {}
