/**
 * One decoder, of which every family is a configuration; loading it from what others have saved,
 * and saving it so that others can load it.
 */
package dev.panatune.model;
