/**
 * Weights in 4 bits: NF4 and FP4 with double quantisation, bit for bit those of bitsandbytes, and
 * its serialised form.
 */
package dev.panatune.quant;
