/** How good a model is, in numbers. */
package dev.panatune.eval;
