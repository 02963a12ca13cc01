/**
 * A run from one file: its configuration, and the recipe from data to saved results.
 *
 * <p>{@link dev.panatune.run.RunConfig} is the file, {@link dev.panatune.run.TrainRecipe} what is
 * done with it.
 */
package dev.panatune.run;
