/**
 * Measures what Panatune costs in time and memory, and Python's libraries beside it: each side is a
 * process of its own, and the sides take turns.
 */
package dev.panatune.bench;
