/** Text from a model: choosing the next token, stopping, and streaming what is certain. */
package dev.panatune.generate;
