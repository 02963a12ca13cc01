package dev.panatune.train;

/**
 * What a micro-batch lost.
 *
 * @param lossSum the sum over its target tokens, in nats
 * @param correct how often the likeliest token was the target
 */
record MicroBatchLoss(double lossSum, long correct) {}
