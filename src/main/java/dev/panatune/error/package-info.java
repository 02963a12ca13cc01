/** The exceptions, and how their messages read. */
package dev.panatune.error;
