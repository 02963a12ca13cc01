package dev.panatune.text;

/**
 * Tokens of a text with their places in it.
 *
 * @param ids ids of the tokens
 * @param starts where each token begins in the text, in UTF-16 units
 * @param ends where each token ends, exclusive; tokens that share one character share its place,
 *     and a token that was added to the text has an empty one
 */
public record Encoding(int[] ids, int[] starts, int[] ends) {}
