/**
 * Parameter-efficient fine-tuning: small trainable parts beside a frozen model, in PEFT's files.
 */
package dev.panatune.peft;
