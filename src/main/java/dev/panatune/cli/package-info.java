/** The command line: one thin class a command, over {@code run} and the floors below it. */
package dev.panatune.cli;
