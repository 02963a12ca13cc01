/** From files to token batches: rows are read, rendered, tokenised, cut and counted. */
package dev.panatune.data;
