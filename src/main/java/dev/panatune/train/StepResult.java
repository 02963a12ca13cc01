package dev.panatune.train;

/**
 * What an update came to.
 *
 * @param loss mean over the target tokens of all its micro-batches, in nats
 * @param correct how often the likeliest token was the target
 * @param targetTokens the tokens that were to be predicted
 * @param examples rows
 * @param tokens input tokens without padding
 * @param positions input tokens with padding
 * @param gradientNorm of all gradients together, before clipping
 * @param applied false if it was left out because gradients overflowed in float16
 */
record StepResult(
    double loss,
    long correct,
    int targetTokens,
    int examples,
    long tokens,
    long positions,
    double gradientNorm,
    boolean applied) {}
