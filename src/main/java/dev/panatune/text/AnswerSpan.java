package dev.panatune.text;

/**
 * A part of a rendered conversation that the assistant says, through the end of its turn.
 *
 * @param start where it begins, in UTF-16 units
 * @param end where it ends, exclusive
 */
record AnswerSpan(int start, int end) {}
