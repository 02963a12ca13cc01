package dev.panatune.model;

/**
 * The probabilities with which training zeroes elements.
 *
 * @param attention of the attention weights
 * @param residual of what attention and MLP add to the residual stream
 * @param embedding of what enters the first layer
 */
public record Dropouts(double attention, double residual, double embedding) {}
