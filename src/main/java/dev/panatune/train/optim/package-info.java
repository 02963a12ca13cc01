/** Optimizers, gradient clipping and the scaler of half-precision training. */
package dev.panatune.train.optim;
