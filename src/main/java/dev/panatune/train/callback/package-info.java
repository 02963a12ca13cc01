/** What watches a run: the progress bar, the log, the loss plot, or what a program brings. */
package dev.panatune.train.callback;
