package dev.panatune.peft;

/**
 * What one layer's update has of its own.
 *
 * @param r its rank
 * @param scaling what the product of B and A is multiplied by
 */
record LoraScale(int r, double scaling) {}
