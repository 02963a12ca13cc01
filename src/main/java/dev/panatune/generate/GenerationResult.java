package dev.panatune.generate;

/**
 * What a model made of a prompt.
 *
 * @param text the new text, without special tokens and without the stop string
 * @param tokenIds the new tokens, with the one that ended the text
 * @param promptTokenIds the prompt
 * @param finishReason why it ended
 * @param seconds how long it took
 */
public record GenerationResult(
    String text, int[] tokenIds, int[] promptTokenIds, FinishReason finishReason, double seconds) {}
